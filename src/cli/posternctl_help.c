// SPDX-License-Identifier: Apache-2.0
#include "posternctl.h"

static const char help[] =
	"Usage: posternctl [OPTION]... COMMAND\n"
	"       posternctl [OPTION]... [shell]\n"
	"Ask a running posternd, or tell it something. Without a COMMAND: on a terminal a shell\n"
	"with history, TAB and ?; otherwise commands line by line from standard input.\n"
	"\n"
	"  show status              how it is, in a few lines\n"
	"  show version\n"
	"  show ports               ports, their interfaces and packets\n"
	"  show workers             what each worker does and holds\n"
	"  show groups              NAT groups: pool and owners, Epoch, PCP\n"
	"  show subscribers [ADDRESS] [group NAME] [realm NAME] [limit N]\n"
	"  show mappings [ADDRESS] [external ADDRESS[:PORT]] [protocol udp|tcp|icmp]\n"
	"                [port N] [group NAME] [realm NAME] [limit N] [detail]\n"
	"                [kind implicit|explicit|peer|static|resting]\n"
	"  show leases ADDRESS [realm NAME]    PEER leases of one subscriber\n"
	"  show pcp [group NAME]    PCP by dialect, opcode, option and result\n"
	"  show pcp-clients [ADDRESS] [group NAME] [realm NAME] [top N]    the busiest first\n"
	"  show counters [nonzero]\n"
	"  show neighbours [limit N]\n"
	"  show sessions ADDRESS [protocol udp|tcp|icmp] [port N] [realm NAME] [limit N]\n"
	"  show pools [group NAME]  how full the pools of external addresses are\n"
	"  show log                 where the NAT log goes, and what was lost\n"
	"  trace port ADDRESS:PORT [protocol udp|tcp|icmp] [at TIME]\n"
	"                           who has, or had, an external port; \"port\" may be left out\n"
	"  trace offline ADDRESS:PORT config FILE|history FILE [at TIME]\n"
	"                           the same of deterministic groups; no daemon is asked\n"
	"  add mapping PROTOCOL ADDRESS:PORT [external ADDRESS[:PORT]] [lifetime SPAN]\n"
	"              [description TEXT] [realm NAME]    as if its subscriber had asked\n"
	"  add static PROTOCOL ADDRESS:PORT external ADDRESS:PORT [realm NAME]\n"
	"                           until posternd ends\n"
	"  delete mapping PROTOCOL ADDRESS:PORT [realm NAME]\n"
	"  clear subscriber ADDRESS [realm NAME]    his dynamic mappings; he alone is told\n"
	"  clear group NAME         all dynamic mappings; its Epoch starts again\n"
	"  reset epoch group NAME   its PCP clients ask for all their mappings anew\n"
	"  config check FILE        say what is wrong with it, or what needs a restart\n"
	"  config apply [FILE]      put it in force (default: the daemon's own file)\n"
	"  config show              the configuration in force\n"
	"\n"
	"ADDRESS PROTOCOL PORT is understood for PROTOCOL ADDRESS:PORT. A realm is the name of an\n"
	"inside interface. A SPAN is in seconds, or 30m, 12h, 7d. A TIME is\n"
	"2026-11-23T10:15:00Z, always UTC, or -10m. FILE may be - for standard input.\n"
	"With an ADDRESS, show mappings gives every detail. In the shell and in scripts: help\n"
	"[WORD], exit, lines that begin with #, and quotes as in sh.\n"
	"\n"
	"  -s, --socket PATH   default $POSTERN_SOCKET, or " DEFAULT_SOCKET "\n"
	"  -j, --json          one JSON object a line instead of text\n"
	"      --no-color      no colours; NO_COLOR in the environment says the same\n"
	"  -h, --help\n"
	"  -V, --version\n"
	"\n"
	"Exit status: 0 done, 1 the daemon refused, 2 wrong usage, 3 no daemon answers, 130\n"
	"interrupted; of a shell or a script that of its last command.\n"
	"\n"
	"Examples:\n"
	"  posternctl show mappings 100.64.0.10\n"
	"  posternctl show mappings external 203.0.113.7:8080 protocol tcp\n"
	"  posternctl --json show subscribers group residential | jq .external_address\n"
	"  posternctl add mapping tcp 100.64.0.10:8080 lifetime 7d description \"web, ticket "
	"4711\"\n"
	"  posternctl show pcp-clients top 5\n"
	"  posternctl delete mapping tcp 100.64.0.10:8080\n"
	"  posternctl config check /etc/postern.yaml && posternctl config apply\n";

void words_help(FILE *out)
{
	fputs(help, out);
}

// A command's line begins with two spaces and its verb; its further lines with more.
static bool begins(const char *line, const char *verb)
{
	size_t length = strlen(verb);

	return strncmp(line, "  ", 2) == 0 && strncmp(line + 2, verb, length) == 0 &&
	       line[2 + length] == ' ';
}

bool words_help_verb(const char *verb, FILE *out)
{
	bool inside = false, found = false;

	for (const char *line = help, *end; (end = strchr(line, '\n')); line = end + 1) {
		if (strncmp(line, "Examples", 8) == 0)
			break;
		inside = begins(line, verb) || (inside && strncmp(line, "    ", 4) == 0);
		if (inside)
			fwrite(line, 1, (size_t)(end - line) + 1, out);
		found = found || inside;
	}
	return found;
}
