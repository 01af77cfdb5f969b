// SPDX-License-Identifier: Apache-2.0
#include "posternctl.h"

static const char help[] =
	"Usage: posternctl [OPTION]... COMMAND\n"
	"Ask a running posternd, or tell it something.\n"
	"\n"
	"  show status              how it is, in a few lines\n"
	"  show version\n"
	"  show ports               ports, their interfaces and packets\n"
	"  show workers             what each worker does and holds\n"
	"  show groups              NAT groups: pool and owners, Epoch, PCP\n"
	"  show subscribers [ADDRESS] [group NAME] [realm NAME] [limit N]\n"
	"  show mappings [ADDRESS] [external ADDRESS[:PORT]] [protocol udp|tcp|icmp]\n"
	"                [port N] [group NAME] [realm NAME] [limit N]\n"
	"                [kind implicit|explicit|static|resting]\n"
	"  show counters [nonzero]\n"
	"  show neighbours [limit N]\n"
	"  delete mapping PROTOCOL ADDRESS:PORT [realm NAME]\n"
	"  clear subscriber ADDRESS [realm NAME]\n"
	"  config check FILE        say what is wrong with it, or what needs a restart\n"
	"  config apply [FILE]      put it in force (default: the daemon's own file)\n"
	"  config show              the configuration in force\n"
	"\n"
	"A realm is the name of an inside interface. FILE may be - for standard input.\n"
	"\n"
	"  -s, --socket PATH   default $POSTERN_SOCKET, or " DEFAULT_SOCKET "\n"
	"  -j, --json          one JSON object a line instead of text\n"
	"      --no-color      no colours; NO_COLOR in the environment says the same\n"
	"  -h, --help\n"
	"  -V, --version\n"
	"\n"
	"Exit status: 0 done, 1 the daemon refused, 2 wrong usage, 3 no daemon answers.\n"
	"\n"
	"Examples:\n"
	"  posternctl show mappings 100.64.0.10\n"
	"  posternctl show mappings external 203.0.113.7:8080 protocol tcp\n"
	"  posternctl --json show subscribers group residential | jq .external_address\n"
	"  posternctl delete mapping tcp 100.64.0.10:8080\n"
	"  posternctl config check /etc/postern.yaml && posternctl config apply\n";

void words_help(FILE *out)
{
	fputs(help, out);
}
