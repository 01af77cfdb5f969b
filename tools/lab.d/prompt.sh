# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# prompt.sh - a shell inside a running lab, and what to type there. Sourced after lab.sh.

prompt_commands()
{
	cat <<-'END'
	Commands in the lab:
	  home-a CMD   home-b CMD   internet CMD   cgn CMD      run CMD on that host, as root
	  posternctl show status | workers | groups | subscribers | mappings | counters
	  home-a pcpc map tcp 8080                              open a port
	  home-a pcpc delete tcp 8080                           close it
	  home-a curl http://192.0.2.80/                        a page on the Internet
	  home-a ping 192.0.2.80                                and its echo
	  home-a traceroute -n 192.0.2.80                       the CGN is on the way
	  cgn tcpdump -n -i pn-in                               what the homes send (pn-out: the Internet)
	  less $LAB_LOG                                         what posternd says
	  exit                                                  gives everything back
	END
}

# The shell is a child that is waited for, so that a signal to the script ends both. A child in the
# background would ignore Ctrl-C, and so would everything it runs.
prompt_shell()
{
	cat >"$LAB_DIR/bashrc" <<-END
	[[ -r ~/.bashrc ]] && . ~/.bashrc
	PATH='$LAB_DIR/bin':\$PATH
	PS1='lab# '
	LAB_LOG='$LAB_LOG'
	LAB_CONFIG='$LAB_CONFIG'
	END
	exec 3<&0
	env --default-signal=INT,QUIT bash --rcfile "$LAB_DIR/bashrc" -i <&3 &
	LAB_SHELL=$!
	trap 'kill -HUP $LAB_SHELL; exit 143' TERM HUP
	trap : INT
	wait "$LAB_SHELL"
}
