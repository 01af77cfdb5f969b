# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# build.sh - meson and ninja without their chatter, unless something fails. Sourced.

BUILD_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck disable=SC2034  # for those who source this
BUILD_PROGRAMS=(src/main/posternd src/cli/posternctl src/cli/pcpc src/cli/pcpcd)

# Sets DIRECTORY up where it is not, or not with these options. [CC=clang-14] build_setup DIR -Dx=y
build_setup() # DIRECTORY MESON-OPTIONS...
{
	local directory=$1
	shift
	if [[ -e $directory/build.ninja ]]; then
		[[ $# -eq 0 ]] || meson configure "$directory" "$@"
	else
		meson setup "$directory" "$BUILD_ROOT" "$@"
	fi
}

build_quietly() # DIRECTORY TARGET...
{
	local log status=0

	log=$(mktemp)
	{ build_setup "$1" && ninja -C "$1" "${@:2}"; } >"$log" 2>&1 || status=1
	if [[ $status -ne 0 ]]; then
		grep -vE '^\[[0-9]+/[0-9]+\]' "$log" | tail -n 40 >&2
	fi
	rm -f "$log"
	return $status
}
