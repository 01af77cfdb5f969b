// SPDX-License-Identifier: Apache-2.0
#include "lab.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CHECK "{\"cmd\":\"config\",\"what\":\"check\"}"
#define APPLY "{\"cmd\":\"config\",\"what\":\"apply\"}"

static json_t *ask(struct lab *lab, const char *request)
{
	int fd = lab_connect(lab);
	json_t *answer = lab_ask(lab, fd, request, NULL);

	close(fd);
	return answer;
}

static const json_t *complaint_of(const json_t *answer, size_t i)
{
	const json_t *error = json_object_get(answer, "error");

	return json_array_get(json_object_get(error, "complaints"), i);
}

static bool has_text(const json_t *object, const char *key, const char *words)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text && strstr(text, words);
}

Test(ctl, puts_a_changed_file_in_force)
{
	struct lab *lab = lab_open();

	lab_write_conf(lab, "203.0.113.0/29", "");
	json_t *answer = ask(lab, APPLY);
	json_t *done = json_object_get(answer, "done");
	cr_assert_eq(json_integer_value(json_object_get(done, "generation")), 2);
	cr_assert_eq(lab->io.published, 1u);
	cr_assert_eq(lab->io.conf->generation, 2u);
	cr_assert_eq(lab->io.conf->groups[0].n_external, 8u);
	cr_assert_eq(lab->ctl->conf, lab->io.conf);
	json_decref(answer);
	lab_rounds(lab, 1);
	cr_assert_not_null(strstr(lab_log(lab), "all workers have taken over generation 2"));
	lab_close(lab);
}

Test(ctl, changes_nothing_when_the_file_is_wrong)
{
	struct lab *lab = lab_open();
	const struct conf *before = lab->io.conf;

	lab_write_conf(lab, "203.0.113.0/33", "colour: blue\n");
	json_t *answer = ask(lab, APPLY);
	cr_assert_str_eq(lab_code(answer), "invalid");
	cr_assert_not_null(complaint_of(answer, 1), "all mistakes at once");
	cr_assert(has_text(complaint_of(answer, 0), "text", lab->conf_file));
	cr_assert_gt(json_integer_value(json_object_get(complaint_of(answer, 0), "line")), 0);
	cr_assert_eq(lab->io.published, 0u);
	cr_assert_eq(lab->ctl->conf, before);
	json_decref(answer);
	lab_close(lab);
}

Test(ctl, refuses_leaves_that_need_a_restart_by_name)
{
	struct lab *lab = lab_open();

	lab_write_conf(lab, "203.0.113.0/29", "limits: { mappings: 128k }\n");
	json_t *answer = ask(lab, APPLY);
	cr_assert_str_eq(lab_code(answer), "restart");
	cr_assert(has_text(complaint_of(answer, 0), "path", "limits"));
	cr_assert_eq(lab->io.published, 0u);
	json_decref(answer);
	answer = ask(lab, CHECK);
	json_t *done = json_object_get(answer, "done");
	cr_assert(json_is_false(json_object_get(done, "live")));
	cr_assert_geq(json_array_size(json_object_get(done, "restart")), 1u);
	json_decref(answer);
	lab_close(lab);
}

Test(ctl, checks_a_file_and_changes_nothing)
{
	struct lab *lab = lab_open();

	lab_write_conf(lab, "203.0.113.0/29", "");
	json_t *answer = ask(lab, CHECK);
	cr_assert(json_is_true(json_object_get(json_object_get(answer, "done"), "live")));
	cr_assert_eq(lab->io.published, 0u);
	json_decref(answer);
	lab_close(lab);
}

Test(ctl, says_that_a_file_cannot_be_read)
{
	struct lab *lab = lab_open();
	json_t *answer = ask(
		lab, "{\"cmd\":\"config\",\"what\":\"check\",\"file\":\"/nonexistent/a.yaml\"}");

	cr_assert_str_eq(lab_code(answer), "file");
	json_decref(answer);
	lab_close(lab);
}

// The text goes along, for the client may stand in another directory, or read a pipe.
Test(ctl, applies_a_text_that_came_over_the_socket)
{
	struct lab *lab = lab_open();
	char name[128];
	json_t *shown = ask(lab, "{\"cmd\":\"config\",\"what\":\"show\"}");
	const char *text =
		json_string_value(json_object_get(json_object_get(shown, "done"), "text"));
	char *changed = malloc(strlen(text) + 64);

	snprintf(name, sizeof name, "%s/other.yaml", lab->folder);
	sprintf(changed, "%stimers: { udp-timeout: 10m }\n", text);
	json_t *request = json_pack("{s:s,s:s,s:s,s:s}", "cmd", "config", "what", "apply", "text",
		changed, "file", name);
	char *line = json_dumps(request, JSON_COMPACT);
	json_t *answer = ask(lab, line);
	cr_assert_not_null(json_object_get(answer, "done"));
	cr_assert_eq(lab->io.conf->timers.udp, 600);
	json_decref(answer);
	json_object_set_new(request, "text", json_string("nonsense: 1\n"));
	free(line);
	line = json_dumps(request, JSON_COMPACT);
	answer = ask(lab, line);
	cr_assert_str_eq(lab_code(answer), "invalid");
	cr_assert(has_text(complaint_of(answer, 3), "text", "/other.yaml:1:1: nonsense"));
	json_decref(answer);
	json_decref(request);
	json_decref(shown);
	free(line);
	free(changed);
	lab_close(lab);
}

Test(ctl, answers_an_apply_when_the_last_shard_has_taken_it_over)
{
	struct lab *lab = lab_open();
	lab->io.shards[1].stubborn = true;
	int fd = lab_connect(lab), other = lab_connect(lab);
	char octet;

	lab_say(fd, APPLY "\n");
	lab_rounds(lab, 20);
	cr_assert_eq(lab->io.published, 1u);
	cr_assert_lt(read(fd, &octet, 1), 0, "no answer before its time");
	json_t *answer = lab_ask(lab, other, "{\"cmd\":\"config\",\"what\":\"show\"}", NULL);
	cr_assert_not_null(json_object_get(answer, "done"), "others are served meanwhile");
	json_decref(answer);
	lab->io.shards[1].stubborn = false;
	answer = lab_next(lab, fd);
	cr_assert_not_null(json_object_get(answer, "done"));
	json_decref(answer);
	close(fd);
	close(other);
	lab_close(lab);
}

Test(ctl, names_the_worker_that_is_late)
{
	struct lab *lab = lab_open();
	lab->io.shards[1].stubborn = true;
	lab->io.tick = NS_PER_S;

	json_t *answer = ask(lab, APPLY);
	cr_assert_str_eq(lab_code(answer), "slow");
	cr_assert(has_text(json_object_get(answer, "error"), "message", "worker 1"));
	cr_assert_not_null(strstr(lab_log(lab), "worker 1 has not taken over generation 2"));
	json_decref(answer);
	lab_close(lab);
}

Test(ctl, reads_its_file_again_on_sighup)
{
	struct lab *lab = lab_open();

	lab_write_conf(lab, "203.0.113.0/29", "");
	kill(getpid(), SIGHUP);
	lab_rounds(lab, 2);
	cr_assert_eq(lab->io.conf->generation, 2u);
	cr_assert_not_null(strstr(lab_log(lab), "generation 2 is in force"));
	lab_close(lab);
}

Test(ctl, logs_every_mistake_of_the_file_on_sighup)
{
	struct lab *lab = lab_open();

	lab_write_conf(lab, "203.0.113.0/33", "colour: blue\nshape: round\n");
	kill(getpid(), SIGHUP);
	lab_rounds(lab, 2);
	cr_assert_eq(lab->io.published, 0u);
	cr_assert_not_null(strstr(lab_log(lab), "203.0.113.0/33"));
	cr_assert_not_null(strstr(lab_log(lab), "colour"));
	cr_assert_not_null(strstr(lab_log(lab), "shape"));
	lab_close(lab);
}

Test(ctl, logs_restart_leaves_on_sighup)
{
	struct lab *lab = lab_open();

	lab_write_conf(lab, "203.0.113.0/29", "limits: { mappings: 128k }\n");
	kill(getpid(), SIGHUP);
	lab_rounds(lab, 2);
	cr_assert_eq(lab->io.published, 0u);
	cr_assert_not_null(strstr(lab_log(lab), "limits"));
	cr_assert_not_null(strstr(lab_log(lab), "restart"));
	lab_close(lab);
}

// Fifty applies in a row: no snapshot is lost or used after its end (the sanitizers watch).
Test(ctl, applies_fifty_times)
{
	struct lab *lab = lab_open();

	for (unsigned i = 0; i < 50; i++) {
		lab_write_conf(lab, i % 2 ? "203.0.113.0/29" : "203.0.113.0/30", "");
		json_t *answer = ask(lab, APPLY);
		cr_assert_not_null(json_object_get(answer, "done"));
		json_decref(answer);
	}
	cr_assert_eq(lab->io.conf->generation, 51u);
	lab_close(lab);
}
