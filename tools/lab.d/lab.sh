# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# lab.sh - a small provider in network namespaces. Sourced by tools/lab, tools/demo, tests/netns.
#
#   home-a 100.64.0.10 --+                  cgn                    +-- internet 198.51.100.1
#                        +-- br-in -- pn-in [posternd] pn-out -- br-out         192.0.2.80 (web)
#   home-b 100.64.0.11 --+      100.64.0.1  198.51.100.2               pool 203.0.113.0/29
#
# Every host is a network namespace of its own: pn-home-a-ID, pn-home-b-ID, pn-cgn-ID, pn-internet-ID.
# posternd runs in pn-cgn-ID and owns the TAP interfaces pn-in and pn-out there; two kernel bridges
# without addresses join them to the hosts. ID keeps labs apart that run at the same time.
#
# lab_up makes it, lab_down gives everything back: processes, namespaces, huge pages, files. A guard
# process does so too when the script that made the lab was killed without a chance to.

LAB_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
LAB_BUILD=${LAB_BUILD:-$LAB_ROOT/build}
LAB_HOSTS=(home-a home-b cgn internet)
LAB_PAGES=${LAB_PAGES:-192} # huge pages of 2 MiB that a lab borrows when the machine can spare them

# ---- making it -------------------------------------------------------------------------------

lab_up()
{
	[[ $(id -u) -eq 0 ]] || { echo "the lab needs root: it makes network namespaces" >&2; return 1; }
	LAB_ID=${LAB_ID:-$$}
	LAB_DIR=$(mktemp -d "/run/postern-lab-$LAB_ID.XXXXXX")
	LAB_SOCKET=$LAB_DIR/control.sock
	LAB_LOG=$LAB_DIR/posternd.log
	LAB_CONFIG=$LAB_DIR/postern.yaml
	: >"$LAB_LOG"
	lab_guard
	lab_take_pages
	lab_make_hosts
	lab_make_commands
	PATH=$LAB_DIR/bin:$PATH
	lab_config
}

# Everything below runs inside namespaces that nobody else knows, so names need no care but the ID.
lab_make_hosts()
{
	local host side

	for host in "${LAB_HOSTS[@]}"; do
		ip netns add "pn-$host-$LAB_ID"
		ip -n "pn-$host-$LAB_ID" link set lo up
		lab_sysctl "$host" net.ipv6.conf.all.disable_ipv6=1
		lab_sysctl "$host" net.ipv6.conf.default.disable_ipv6=1
	done
	# Bridges that are wires: the kernel's filters and reassembly must not see what passes.
	lab_sysctl cgn net.bridge.bridge-nf-call-iptables=0
	lab_sysctl cgn net.bridge.bridge-nf-call-arptables=0
	for side in in out; do
		lab_ip cgn link add "br-$side" type bridge mcast_snooping 0
		lab_ip cgn link set "br-$side" up
		lab_ip cgn tuntap add dev "pn-$side" mode tap multi_queue
		# Room for the frames of the moments in which posternd does not get a CPU.
		lab_ip cgn link set "pn-$side" master "br-$side" txqueuelen 4096
		lab_ip cgn link set "pn-$side" up
	done
	lab_join home-a br-in
	lab_join home-b br-in
	lab_join internet br-out
	lab_address home-a 100.64.0.10/10 100.64.0.1
	lab_address home-b 100.64.0.11/10 100.64.0.1
	lab_address internet 198.51.100.1/24
	lab_ip internet addr add 192.0.2.80/32 dev lo
	lab_ip internet route add 203.0.113.0/29 via 198.51.100.2
}

lab_ip() # HOST ARGUMENTS-OF-IP...
{
	ip -n "pn-$1-$LAB_ID" "${@:2}"
}

lab_sysctl() # HOST NAME=VALUE; what this kernel does not have needs no setting
{
	ip netns exec "pn-$1-$LAB_ID" sysctl -qw "$2" 2>/dev/null || true
}

# A cable from HOST's eth0 to a bridge of the CGN's.
lab_join() # HOST BRIDGE
{
	ip link add "$1" netns "pn-cgn-$LAB_ID" type veth peer name eth0 netns "pn-$1-$LAB_ID"
	lab_ip cgn link set "$1" master "$2"
	lab_ip cgn link set "$1" up
	lab_ip "$1" link set eth0 up
}

lab_address() # HOST ADDRESS/BITS [GATEWAY]
{
	lab_ip "$1" addr add "$2" dev eth0
	[[ -z ${3:-} ]] || lab_ip "$1" route add default via "$3"
}

# One more host on a bridge, with a command of its own: lab_add_host home-c br-in 100.64.0.12/10 GW
lab_add_host() # HOST BRIDGE [ADDRESS/BITS [GATEWAY]]
{
	LAB_HOSTS+=("$1")
	ip netns add "pn-$1-$LAB_ID"
	lab_ip "$1" link set lo up
	lab_sysctl "$1" net.ipv6.conf.default.disable_ipv6=1
	lab_join "$1" "$2"
	[[ -z ${3:-} ]] || lab_address "$1" "$3" "${4:-}"
	lab_host_command "$1"
}

# home-a, internet, ... run a command on that host; posternctl, pcpc and pcpcd are the built ones.
lab_make_commands()
{
	local host

	mkdir "$LAB_DIR/bin"
	for host in "${LAB_HOSTS[@]}"; do
		lab_host_command "$host"
	done
	lab_command posternctl "exec '$LAB_BUILD/src/cli/posternctl' --socket '$LAB_SOCKET' \"\$@\""
	lab_command pcpc "exec '$LAB_BUILD/src/cli/pcpc' \"\$@\""
	lab_command pcpcd "exec '$LAB_BUILD/src/cli/pcpcd' \"\$@\""
	lab_command posternd "exec '$LAB_BUILD/src/main/posternd' \"\$@\""
}

# A host has a memory of its own too: pcpc keeps the nonces of its mappings there.
lab_host_command() # HOST
{
	lab_command "$1" "XDG_STATE_HOME='$LAB_DIR/$1' exec ip netns exec pn-$1-$LAB_ID \"\$@\""
}

lab_command() # NAME BODY
{
	printf '#!/bin/sh\n%s\n' "$2" >"$LAB_DIR/bin/$1"
	chmod +x "$LAB_DIR/bin/$1"
}

# The lab's configuration is conf/demo.yaml with its own control socket.
lab_config()
{
	sed "s|/run/postern/demo.sock|$LAB_SOCKET|" "$LAB_ROOT/conf/demo.yaml" >"$LAB_CONFIG"
}

# ---- posternd --------------------------------------------------------------------------------

postern_start() # [FILE]
{
	cgn posternd -c "${1:-$LAB_CONFIG}" >>"$LAB_LOG" 2>&1 </dev/null &
	LAB_POSTERN=$!
	echo "$LAB_POSTERN" >"$LAB_DIR/posternd.pid"
	lab_eventually 60 postern_answers
}

postern_answers()
{
	kill -0 "$LAB_POSTERN" 2>/dev/null || return 2
	posternctl show status >/dev/null 2>&1
}

postern_stop() # [SIGNAL]
{
	kill "-${1:-TERM}" "$LAB_POSTERN" 2>/dev/null
	wait "$LAB_POSTERN" 2>/dev/null
}

# ---- hosts at work ---------------------------------------------------------------------------

# A web server of one page. Who asked it stands in $LAB_DIR/web-HOST-PORT.log.
lab_web() # HOST ADDRESS PORT TEXT [DIRECTORY]
{
	local directory=${5:-$LAB_DIR/web-$1-$3}

	mkdir -p "$directory"
	echo "$4" >"$directory/index.html"
	"$1" "$LAB_ROOT/tools/lab.d/web.py" "$2" "$3" "$directory" \
		>"$LAB_DIR/web-$1-$3.log" 2>&1 </dev/null &
	lab_eventually 10 lab_listens "$1" tcp "$3"
}

lab_listens() # HOST tcp|udp PORT
{
	[[ -n $("$1" ss -Hnl "--$2" "sport = :$3") ]]
}

# Runs a command until it succeeds. A status of 2 says that waiting is no use.
lab_eventually() # SECONDS COMMAND...
{
	local end=$((SECONDS + $1)) status

	shift
	while :; do
		"$@" && return 0
		status=$?
		[[ $status -eq 2 || $SECONDS -ge $end ]] && return 1
		sleep 0.1
	done
}

# ---- giving it back --------------------------------------------------------------------------

lab_down()
{
	[[ -n ${LAB_DIR:-} && -d $LAB_DIR ]] || return 0
	lab_end_processes TERM
	lab_end_processes KILL
	local host
	for host in $(ip netns list | awk -v id="$LAB_ID" '$1 ~ "^pn-.*-" id "$" { print $1 }'); do
		ip netns del "$host"
	done
	lab_give_pages
	[[ -z ${LAB_GUARD:-} ]] || kill "$LAB_GUARD" 2>/dev/null
	rm -rf "$LAB_DIR"
}

# Ends, one by one, the processes that still live in the lab's namespaces.
lab_end_processes() # SIGNAL
{
	local pids

	pids=$(lab_pids)
	[[ -n $pids ]] || return 0
	# shellcheck disable=SC2086  # a list of numbers
	kill "-$1" $pids 2>/dev/null
	lab_eventually 3 lab_is_empty || true
}

lab_pids()
{
	local host

	for host in $(ip netns list | awk -v id="$LAB_ID" '$1 ~ "^pn-.*-" id "$" { print $1 }'); do
		ip netns pids "$host"
	done
}

lab_is_empty()
{
	[[ -z $(lab_pids) ]]
}

# Huge pages are added to what the machine has, and the same number is taken away in the end: other
# labs and other programs keep theirs.
lab_take_pages()
{
	local file=/proc/sys/vm/nr_hugepages free before after

	free=$(awk '/^MemAvailable/ { print int($2 / 2048) }' /proc/meminfo)
	echo 0 >"$LAB_DIR/pages"
	[[ $free -gt $((2 * LAB_PAGES)) && -w $file ]] || return 0
	{
		flock 9
		before=$(<$file)
		echo $((before + LAB_PAGES)) 2>/dev/null >$file || true
		after=$(<$file)
		echo $((after - before)) >"$LAB_DIR/pages"
	} 9</run
}

lab_give_pages()
{
	local file=/proc/sys/vm/nr_hugepages pages

	pages=$(cat "$LAB_DIR/pages" 2>/dev/null || echo 0)
	[[ $pages -gt 0 ]] || return 0
	{
		flock 9
		echo $(($(<$file) - pages)) >$file
		echo 0 >"$LAB_DIR/pages"
	} 9</run
}

# Waits in a session of its own for the maker of the lab to be gone.
lab_guard()
{
	setsid bash -c '
		while kill -0 "$1" 2>/dev/null; do sleep 1; done
		. "$2/tools/lab.d/lab.sh"
		LAB_ID=$3 LAB_DIR=$4 LAB_GUARD=
		lab_down' lab-guard "$$" "$LAB_ROOT" "$LAB_ID" "$LAB_DIR" </dev/null >/dev/null 2>&1 &
	LAB_GUARD=$!
	disown "$LAB_GUARD"
}

# For scripts: the lab goes when they end, by whatever way they end.
lab_trap()
{
	trap lab_down EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
}
