# SPDX-License-Identifier: Apache-2.0
# bash: TAB for pcpc and posternctl. They know their words themselves: --complete tells them.
# shellcheck shell=bash

_postern()
{
	local line=${COMP_LINE:0:COMP_POINT} word start=""
	local -a words=()

	# Not COMP_WORDS: bash cuts words at colons and equals signs, which ours may have inside.
	read -ra words <<<"$line"
	words=("${words[@]:1}")
	if [[ $line != *[[:space:]] && ${#words[@]} -gt 0 ]]; then
		start=${words[-1]}
		unset 'words[-1]'
	fi
	COMPREPLY=()
	while IFS= read -r word; do
		if [[ $word == :files ]]; then
			compopt -o filenames 2>/dev/null
			start=${start#*=}
			mapfile -t COMPREPLY < <(compgen -f -- "$start")
			return
		fi
		[[ $word != */ && $word != *= ]] || compopt -o nospace 2>/dev/null
		# What bash takes for words of their own is there already.
		COMPREPLY+=("${word#"${start%"${start##*[:=]}"}"}")
	done < <("$1" --complete "${words[@]}" "$start" 2>/dev/null)
}

complete -F _postern pcpc posternctl
