// SPDX-License-Identifier: Apache-2.0
// Where the shell's lines are kept. They may carry names of customers: nobody else reads them.
#include "posternctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static bool make_folder(const char *path)
{
	return mkdir(path, 0700) == 0 || errno == EEXIST;
}

static bool fits(int length, size_t size)
{
	return length > 0 && (size_t)length < size;
}

bool history_path(char *out, size_t size)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

	if (state && state[0] == '/') {
		if (!fits(snprintf(out, size, "%s/postern", state), size) || !make_folder(state) ||
			!make_folder(out))
			return false;
		return fits(snprintf(out, size, "%s/postern/history", state), size);
	}
	return home && home[0] == '/' &&
	       fits(snprintf(out, size, "%s/.postern_history", home), size);
}

FILE *history_create(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	FILE *out = fd >= 0 && fchmod(fd, 0600) == 0 ? fdopen(fd, "w") : NULL;

	if (!out && fd >= 0)
		close(fd);
	return out;
}
