// SPDX-License-Identifier: Apache-2.0
// The state file: one line a mapping,
//
//	server source protocol port nonce external until [peer]
//	100.64.0.1:5351 100.64.0.10 6 8080 00112233445566778899aabb 203.0.113.5:40001 1767225600
//
// `source` is the host that the mapping leads to; protocol and port 0 mean all of them.
// Lines that cannot be read are left out when the file is written again. The nonce is what owns a
// mapping, so nobody else may read the file; it is replaced as a whole, so a crash leaves the old
// or the new one.
#include "pcpc.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FORGET_AFTER_S 86400 // no server grants more; the hold-down of a freed port is over too

bool pcpc_state_default_path(char *out, size_t size)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	int n;

	if (state && state[0] == '/')
		n = snprintf(out, size, "%s/postern/pcpc", state);
	else if (geteuid() == 0)
		n = snprintf(out, size, "/var/lib/postern/pcpc");
	else if (home && home[0] == '/')
		n = snprintf(out, size, "%s/.local/state/postern/pcpc", home);
	else
		return false;
	return n > 0 && (size_t)n < size;
}

static bool read_line(char *line, struct pcpc_memory *m)
{
	char server[PCPC_ENDPOINT_TEXT], source[IP6_TEXT], nonce[25], external[PCPC_ENDPOINT_TEXT];
	char peer[PCPC_ENDPOINT_TEXT];
	unsigned protocol, port;
	int n;

	*m = (struct pcpc_memory){0};
	n = sscanf(line, "%53s %45s %u %u %24s %53s %" SCNu64 " %53s", server, source, &protocol,
		&port, nonce, external, &m->until, peer);
	if (n < 7 || protocol > 255 || port > 65535)
		return false;
	if (n == 8 && !pcpc_parse_endpoint(peer, 0, &m->peer))
		return false;
	m->protocol = (uint8_t)protocol;
	m->port = (uint16_t)port;
	return pcpc_parse_endpoint(server, POSTERN_SERVER_PORT, &m->server) &&
	       pcpc_parse_address(source, m->source) && pcpc_parse_nonce(nonce, m->nonce) &&
	       pcpc_parse_endpoint(external, 0, &m->external);
}

static_assert(PCPC_ENDPOINT_TEXT == 54 && IP6_TEXT == 46, "the widths in read_line");

static void write_line(FILE *f, const struct pcpc_memory *m)
{
	char server[PCPC_ENDPOINT_TEXT], source[IP6_TEXT], nonce[25], external[PCPC_ENDPOINT_TEXT];
	char peer[PCPC_ENDPOINT_TEXT];
	ip6 ip;

	memcpy(ip.b, m->source, sizeof ip.b);
	pcpc_format_endpoint(&m->external, external);
	if (m->external.port == 0)
		*strrchr(external, ':') = '\0';
	fprintf(f, "%s %s %u %u %s %s %" PRIu64, pcpc_format_endpoint(&m->server, server),
		ip6_format(ip, source), m->protocol, m->port,
		pcpc_format_hex(m->nonce, sizeof m->nonce, nonce), external, m->until);
	if (m->peer.port != 0)
		fprintf(f, " %s", pcpc_format_endpoint(&m->peer, peer));
	fputc('\n', f);
}

static bool same_key(const struct pcpc_memory *a, const struct pcpc_memory *b)
{
	return a->protocol == b->protocol && a->port == b->port &&
	       a->server.port == b->server.port && a->peer.port == b->peer.port &&
	       memcmp(a->peer.ip, b->peer.ip, sizeof a->peer.ip) == 0 &&
	       memcmp(a->server.ip, b->server.ip, sizeof a->server.ip) == 0 &&
	       memcmp(a->source, b->source, sizeof a->source) == 0;
}

int pcpc_state_find(const char *path, struct pcpc_memory *m)
{
	FILE *f = fopen(path, "re");
	char line[512];
	int err = -ENOENT;

	if (!f)
		return -errno;
	while (err != 0 && fgets(line, sizeof line, f)) {
		struct pcpc_memory found;

		if (read_line(line, &found) && same_key(&found, m)) {
			*m = found;
			err = 0;
		}
	}
	fclose(f);
	return err;
}

// Every folder above the file, as the XDG base directory specification wants it (0700).
static int make_folders(const char *path)
{
	char folder[PATH_MAX];
	size_t len = strlen(path);

	if (len >= sizeof folder)
		return -ENAMETOOLONG;
	memcpy(folder, path, len + 1);
	for (char *p = strchr(folder + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		if (mkdir(folder, 0700) < 0 && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	return 0;
}

// Copies all lines but the one with m's key, and those nobody needs any more.
static void copy_others(FILE *from, FILE *to, const struct pcpc_memory *m)
{
	uint64_t now = (uint64_t)time(NULL);
	struct pcpc_memory other;
	char line[512];

	while (fgets(line, sizeof line, from))
		if (read_line(line, &other) && !same_key(&other, m) &&
			other.until + FORGET_AFTER_S > now)
			write_line(to, &other);
}

static int write_file(
	const char *path, const char *temporary, const struct pcpc_memory *m, bool put)
{
	int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	FILE *to = fd < 0 ? NULL : fdopen(fd, "w"), *from;
	bool good;

	if (!to)
		return -errno;
	from = fopen(path, "re");
	if (from) {
		copy_others(from, to, m);
		fclose(from);
	}
	if (put)
		write_line(to, m);
	good = fflush(to) == 0 && fsync(fd) == 0;
	good = fclose(to) == 0 && good;
	if (good && rename(temporary, path) == 0)
		return 0;
	unlink(temporary);
	return -EIO;
}

static int rewrite(const char *path, const struct pcpc_memory *m, bool put)
{
	char lock[PATH_MAX], temporary[PATH_MAX];
	int fd, err = make_folders(path);

	if (err < 0)
		return err;
	if (snprintf(lock, sizeof lock, "%s.lock", path) >= (int)sizeof lock ||
		snprintf(temporary, sizeof temporary, "%s.new", path) >= (int)sizeof temporary)
		return -ENAMETOOLONG;
	fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	err = flock(fd, LOCK_EX) < 0 ? -errno : write_file(path, temporary, m, put);
	close(fd);
	return err;
}

int pcpc_state_put(const char *path, const struct pcpc_memory *m)
{
	return rewrite(path, m, true);
}

int pcpc_state_drop(const char *path, const struct pcpc_memory *m)
{
	return access(path, F_OK) < 0 ? 0 : rewrite(path, m, false);
}
