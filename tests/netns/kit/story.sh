# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# story.sh - what every network story begins with: a lab of its own, and words to claim things with.
#
# A story ends at the first claim that is not true (status 1), with the reason and the daemon's last
# words, or says that this machine cannot play it (status 77).
set -uo pipefail

KIT=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/lab.d/lab.sh
. "$KIT/../../../tools/lab.d/lab.sh"

story() # TITLE; the lab stands and posternd serves when it returns
{
	stage "$1"
	postern_start || broken "posternd starts" "it did not answer on its control socket"
}

stage() # TITLE; the lab stands, posternd is not started
{
	echo "$1"
	lab_trap
	lab_up || exit 1
}

skip() # REASON
{
	echo "  skipped: $1"
	exit 77
}

broken() # CLAIM REASON
{
	echo "  NOT TRUE: $1"
	[[ -z ${2:-} ]] || printf '%s\n' "$2" | sed 's/^/    /'
	echo "    posternd's last words:"
	tail -n 15 "$LAB_LOG" | sed 's/^/      /'
	exit 1
}

expect() # CLAIM COMMAND...
{
	local claim=$1 output status

	shift
	output=$("$@" 2>&1)
	status=$?
	[[ $status -eq 0 ]] || broken "$claim" "\$ $*"$'\n'"$output"$'\n'"(status $status)"
	echo "  ok  $claim"
}

expect_not() # CLAIM COMMAND...
{
	local claim=$1 output

	shift
	output=$("$@" 2>&1) && broken "$claim" "\$ $*"$'\n'"$output"$'\n'"(succeeded)"
	echo "  ok  $claim"
}

expect_equal() # CLAIM WANTED FOUND
{
	[[ $2 == "$3" ]] || broken "$1" "wanted: $2"$'\n'"found:  $3"
	echo "  ok  $1"
}

expect_match() # CLAIM REGEX TEXT
{
	[[ $3 =~ $2 ]] || broken "$1" "wanted a match of: $2"$'\n'"found:  $3"
	echo "  ok  $1"
}

expect_more() # CLAIM LESS MORE; two counters
{
	[[ $3 -gt $2 ]] || broken "$1" "it went from $2 to $3"
	echo "  ok  $1 ($2 -> $3)"
}

# ---- servers and watchers --------------------------------------------------------------------
# Each is left running; it goes with its namespace.

serve_udp_echo() # HOST ADDRESS PORT
{
	"$1" "$KIT/udp.py" echo "$2" "$3" &
	lab_eventually 10 udp_bound "$@" || broken "a UDP echo server listens on $1" ""
}

udp_bound() # HOST ADDRESS PORT
{
	[[ -n $("$1" ss -Hnlu "src $2:$3") ]]
}

serve_web() # HOST ADDRESS PORT [DIRECTORY]
{
	lab_web "$1" "$2" "$3" "hello from $1" "${@:4}" || broken "a web server listens on $1" ""
}

fetch() # HOST URL [SECONDS]; prints the page
{
	"$1" curl -sS --max-time "${3:-5}" "$2"
}

# Starts to capture what passes HOST's interface; the file is $LAB_DIR/NAME.pcap.
capture() # NAME HOST INTERFACE FILTER
{
	"$2" tcpdump -Z root --immediate-mode -U -n -i "$3" -w "$LAB_DIR/$1.pcap" "$4" >"$LAB_DIR/$1.tcpdump" 2>&1 &
	echo $! >"$LAB_DIR/$1.capture"
	lab_eventually 10 capture_runs "$1" ||
		broken "tcpdump listens on $2" "$(cat "$LAB_DIR/$1.tcpdump")"
}

capture_runs() # NAME
{
	[[ $(cat "$LAB_DIR/$1.tcpdump" 2>/dev/null) == *"listening on"* ]]
}

captured() # NAME; ends the capture
{
	sleep 0.3
	kill "$(cat "$LAB_DIR/$1.capture")"
	wait "$(cat "$LAB_DIR/$1.capture")" 2>/dev/null
}

# ---- what posternd says about itself ---------------------------------------------------------

# The value of a counter, added up over all workers. Names are those of `posternctl show counters`.
counter() # SECTION.NAME
{
	counters_where '.name == $name' value "$1" | jq -e '.[0]'
}

# The same, one line for each worker.
counter_by_worker() # SECTION.NAME
{
	counters_where '.name == $name' workers "$1" | jq -e '.[0][]'
}

total_drops()
{
	counters_where '.name | startswith("drop.")' value '' | jq add
}

counters_where() # CONDITION FIELD NAME
{
	posternctl --json show counters | jq -s --arg name "$3" --arg field "$2" \
		"[flatten[] | .. | objects | select(has(\"about\")) | select($1) | .[\$field]]"
}

# Asks for a port with PCP and prints its outside endpoint as ADDRESS:PORT.
map_port() # HOST tcp|udp PORT
{
	"$1" pcpc map "$2" "$3" --json | jq -er '"\(.external.address):\(.external.port)"'
}

# True when the operator is shown this mapping, and it is in use (a freed port rests for a while).
operator_sees() # tcp|udp HOST PORT OUTSIDE
{
	posternctl --json show mappings subscriber "$2" |
		jq -se --arg protocol "$1" --argjson port "$3" --arg outside "$4" '[flatten[] | .. | objects
			| select(.protocol? == $protocol and .internal_port? == $port and .kind? != "resting")
			| select("\(.external_address):\(.external_port)" == $outside)] | length > 0'
}
