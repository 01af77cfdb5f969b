// SPDX-License-Identifier: Apache-2.0
// pcpc - a PCP client for people: ask the NAT for a port, keep it, give it back.
#include "pcpc.h"

#include <stdlib.h>

static int run(const struct pcpc_options *o)
{
	if (o->is_probe)
		return pcpc_probe_run(o);
	if (o->command == PCPC_WATCH)
		return pcpc_watch_run(o);
	if (o->command == PCPC_GET)
		return pcpc_get_run(o);
	if (o->dialect != PCP_V2)
		return pcpc_dialect_run(o);
	return pcpc_session_run(o);
}

int main(int argc, char **argv)
{
	struct pcpc_options *options = malloc(sizeof *options);
	int exit_code = PCPC_NO_ANSWER;

	if (!options)
		return exit_code;
	if (pcpc_options_read(options, argc, argv, &exit_code) == 0)
		exit_code = run(options);
	free(options);
	return exit_code;
}
