// SPDX-License-Identifier: Apache-2.0
// posternd: parse arguments, build the app, start, wait, stop.
#include "main.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

// ---- configuration ---------------------------------------------------------------------------

static void print_complaints(const struct conf_complaints *all)
{
	char line[1024];

	for (uint32_t i = 0; i < all->n; i++) {
		conf_complaint_format(all, i, line, sizeof line);
		fprintf(stderr, "%s\n", line);
	}
}

static int load(struct app *app)
{
	struct conf_complaints complaints = {.file = app->options.file};

	int error = conf_load(app->options.file, NULL, &app->conf, &complaints);
	print_complaints(&complaints);
	if (error && complaints.n == 0)
		fprintf(stderr, "posternd: %s: %s\n", app->options.file, strerror(-error));
	conf_complaints_destroy(&complaints);
	return error ? EXIT_WRONG : EXIT_OK;
}

// What the numbers of a deterministic group come to: nobody should have to divide by himself.
static void print_plan(const struct conf_group *g)
{
	const struct nat_plan *p = g->nat.plan;
	uint32_t end = p->port_first + p->hosts_per_address * p->ports_per_host;

	printf("nat-groups.%s: %u subscribers with %u ports each, %u of them on an address; "
	       "overflow of an address: %u ports\n",
		g->name, p->n_hosts, p->ports_per_host, p->hosts_per_address,
		p->port_last + 1u - end);
}

static int report(const struct app *app)
{
	const struct conf *c = app->conf;

	if (app->options.dump) {
		fputs(c->text, stdout);
		return EXIT_OK;
	}
	printf("%s: right\n", app->options.file);
	for (uint32_t i = 0; i < c->n_groups; i++) {
		if (c->groups[i].used && c->groups[i].nat.plan)
			print_plan(&c->groups[i]);
	}
	return EXIT_OK;
}

// ---- running ---------------------------------------------------------------------------------

static int rng_seed(struct rng *rng)
{
	uint8_t seed[32];

	if (getrandom(seed, sizeof seed, 0) != (ssize_t)sizeof seed)
		return -EIO;
	rng_init(rng, seed);
	return 0;
}

static int start(struct app *app)
{
	struct rng rng;

	app->conf->generation = 1; // ctl counts on from here
	int error = ctl_block_signals();
	if (error == 0)
		error = rng_seed(&rng);
	if (error) {
		log_error(&app->log, "cannot start: %s", strerror(-error));
		return error;
	}
	const struct io_setup io = {.log = &app->log, .conf = app->conf, .rng = &rng};
	error = io_create(&io, &app->io);
	if (error)
		return error;
	app->conf = NULL; // io's now
	const struct ctl_setup ctl = {
		.io = app->io, .conf_file = app->options.file, .log = &app->log};
	error = ctl_create(&ctl, &app->ctl);
	return error ? error : io_start(app->io);
}

static void stop(struct app *app)
{
	if (app->io) // the last events are all there when ctl drains them
		io_stop(app->io);
	ctl_destroy(app->ctl);
	conf_destroy(io_destroy(app->io));
	conf_destroy(app->conf);
}

static int run(struct app *app)
{
	int error = start(app);

	if (error == 0) {
		log_notice(&app->log, "posternd " POSTERN_VERSION " runs: %u workers, %u ports",
			io_n_workers(app->io), io_conf(app->io)->n_ports);
		notify(&app->log, "READY=1");
		error = ctl_run(app->ctl);
		notify(&app->log, "STOPPING=1");
		if (error)
			log_error(&app->log, "stops: %s", strerror(-error));
	}
	stop(app);
	if (error == 0)
		log_notice(&app->log, "posternd has ended");
	return error ? EXIT_RUN : EXIT_OK;
}

int main(int argc, char **argv)
{
	struct app app = {.conf = NULL};
	const char *lacks = cpu_lacks();
	int status;

	if (lacks) {
		fprintf(stderr, "posternd: this CPU has no %s; build with -Dcpu=x86-64\n", lacks);
		return EXIT_RUN;
	}
	if (!options_read(argc, argv, &app.options, &status))
		return status;
	log_init(&app.log, "posternd", STDERR_FILENO, app.options.level);
	status = load(&app);
	if (status != EXIT_OK)
		return status;
	if (!app.options.check && !app.options.dump)
		return run(&app);
	status = report(&app);
	conf_destroy(app.conf);
	return status;
}
