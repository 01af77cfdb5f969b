// SPDX-License-Identifier: Apache-2.0
// pcpc - a PCP client for people: ask the NAT for a port, keep it, give it back.
#include "pcpc.h"

int main(int argc, char **argv)
{
	struct pcpc_options options;
	int exit_code;

	if (pcpc_options_read(&options, argc, argv, &exit_code) < 0)
		return exit_code;
	return pcpc_session_run(&options);
}
