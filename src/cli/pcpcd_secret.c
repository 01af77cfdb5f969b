// SPDX-License-Identifier: Apache-2.0
// The secret that nonces follow from. With it a later run owns what this one made, even when it
// was killed before the answers were written down.
#include "pcpcd.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static int make_folder(const char *path)
{
	char copy[PCPCD_PATH + 16];

	snprintf(copy, sizeof copy, "%s", path);
	if (mkdir(dirname(copy), 0700) != 0 && errno != EEXIST)
		return -errno;
	return 0;
}

static int read_old(const char *path, uint8_t secret[32])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t n;

	if (fd < 0)
		return -errno;
	(void)fchmod(fd, 0600); // who copied it here may have made it everybody's
	n = read(fd, secret, 32);
	if (n < 0)
		n = -errno;
	close(fd);
	if (n == 32)
		return 0;
	return n < 0 ? (int)n : -ENOENT; // a crash left half of it
}

static int write_new(const char *path, const uint8_t secret[32])
{
	int fd, error = 0;

	if (unlink(path) != 0 && errno != ENOENT)
		return -errno;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	if (write(fd, secret, 32) != 32 || fsync(fd) != 0)
		error = errno ? -errno : -EIO;
	close(fd);
	return error;
}

int pcpcd_secret_read(const char *state_file, uint8_t secret[32])
{
	char path[PCPCD_PATH + 16];
	int error;

	snprintf(path, sizeof path, "%s.secret", state_file);
	error = read_old(path, secret);
	if (error != -ENOENT)
		return error;
	error = make_folder(path);
	if (error < 0)
		return error;
	if (getrandom(secret, 32, 0) != 32)
		return -EIO;
	return write_new(path, secret);
}
