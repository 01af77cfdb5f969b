// SPDX-License-Identifier: Apache-2.0
// The state file. A nonce owns its mapping, so nobody else may read the file; it is replaced as a
// whole, so a crash leaves the old or the new one; and since two writers would each undo what the
// other wrote, whoever uses it holds the lock beside it.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loop.h"

static int beside(const char *path, const char *end, char out[PATH_MAX])
{
	int n = snprintf(out, PATH_MAX, "%s%s", path, end);

	return n > 0 && n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

// Every folder above the file, as the XDG base directory specification wants it (0700).
static int make_folders(const char *path)
{
	char folder[PATH_MAX];
	int error = beside(path, "", folder);

	if (error < 0)
		return error;
	for (char *p = strchr(folder + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		if (mkdir(folder, 0700) < 0 && errno != EEXIST && errno != EROFS &&
			errno != EACCES && errno != EPERM)
			return -errno;
		*p = '/';
	}
	return 0;
}

int file_lock(const char *path)
{
	char lock[PATH_MAX];
	int fd, error = make_folders(path);

	if (error == 0)
		error = beside(path, ".lock", lock);
	if (error < 0)
		return error;
	fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	error = errno == EWOULDBLOCK ? -EBUSY : -errno;
	close(fd);
	return error;
}

static int read_all(int fd, char *out, size_t size, size_t *length)
{
	*length = 0;
	while (*length < size) {
		ssize_t n = read(fd, out + *length, size - *length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		*length += (size_t)n;
	}
	return 0;
}

int file_read(const char *path, char **out, size_t *length)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), error; // it may be a pipe
	struct stat is;

	*out = NULL;
	*length = 0;
	if (fd < 0)
		return -errno;
	if (fstat(fd, &is) < 0)
		error = -errno;
	else if (!S_ISREG(is.st_mode) || is.st_size > MOST_STATE)
		error = -EFBIG;
	else if (!(*out = malloc((size_t)is.st_size + 1)))
		error = -ENOMEM;
	else
		error = read_all(fd, *out, (size_t)is.st_size, length);
	close(fd);
	if (error < 0) {
		free(*out);
		*out = NULL;
	}
	return error;
}

static int write_all(int fd, const char *text, size_t length)
{
	while (length > 0) {
		ssize_t n = write(fd, text, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		length -= (size_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

// The new name is on the disk only when its folder is.
static void sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX];
	int fd;

	snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1,
		slash ? path : ".");
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)fsync(fd); // some file systems cannot; the file itself is whole
	close(fd);
}

int file_replace(const char *path, const char *text, size_t length)
{
	char temporary[PATH_MAX];
	int fd, error = beside(path, ".new", temporary);

	if (error < 0)
		return error;
	// What a crash left there may have been made with other rights.
	if (unlink(temporary) < 0 && errno != ENOENT)
		return -errno;
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	error = write_all(fd, text, length);
	if (close(fd) < 0 && error == 0)
		error = -errno;
	if (error == 0 && rename(temporary, path) < 0)
		error = -errno;
	if (error < 0)
		unlink(temporary);
	else
		sync_folder(path);
	return error;
}
