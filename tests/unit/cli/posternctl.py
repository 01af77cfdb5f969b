#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""posternctl as a program, against a daemon played by this script: what it sends, what it prints,
how it ends.

    posternctl.py PROGRAM MANUAL-PAGE
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

PROGRAM, PAGE = sys.argv.pop(1), sys.argv.pop(1)


class Daemon(threading.Thread):
    """Answers request i of the one client with script[i], a list of objects or None: hang up."""

    def __init__(self, path, script):
        super().__init__(daemon=True)
        self.script, self.requests = script, []
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(path)
        self.listener.listen(1)
        self.start()

    def run(self):
        client, _ = self.listener.accept()
        lines = client.makefile("rb")
        for answers in self.script:
            self.requests.append(json.loads(lines.readline()))
            if answers is None:
                break
            for answer in answers:
                client.sendall(json.dumps(answer).encode() + b"\n")
        else:
            lines.read()
        client.close()


def neighbour(n):
    return {"row": {"interface": "in", "address": f"100.64.0.{n}", "mac": "02:00:00:00:00:01",
                    "state": "stale", "age_s": n}}


class Program(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="posternctl-")
        self.path = os.path.join(self.folder.name, "control.sock")

    def tearDown(self):
        self.folder.cleanup()

    def start(self, *words, script=None, **environment):
        self.daemon = Daemon(self.path, script) if script is not None else None
        return subprocess.Popen([PROGRAM, *words], stdout=subprocess.PIPE, text=True,
                                stderr=subprocess.PIPE, stdin=subprocess.PIPE,
                                env={"POSTERN_SOCKET": self.path, **environment})

    def run_it(self, *words, given=None, **rest):
        process = self.start(*words, **rest)
        out, err = process.communicate(given, timeout=20)
        return process.returncode, out, err

    def test_no_daemon_is_said_with_what_to_do(self):
        code, out, err = self.run_it("show", "status")
        self.assertEqual((code, out), (3, ""))
        self.assertIn(self.path, err)
        self.assertIn("posternd -c FILE", err)

    def test_a_socket_that_nobody_listens_on_is_no_daemon(self):
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).bind(self.path)
        self.assertEqual(self.run_it("show", "status")[0], 3)

    def test_a_check_without_a_daemon_names_the_other_way(self):
        code, _, err = self.run_it("config", "check", "-", given="workers: 2\n")
        self.assertEqual(code, 3)
        self.assertIn("posternd --check -c FILE", err)

    def test_wrong_words_end_with_two(self):
        code, out, err = self.run_it("show", "nothing")
        self.assertEqual((code, out), (2, ""))
        self.assertIn("--help", err)

    def test_help_has_examples(self):
        code, out, _ = self.run_it("--help")
        self.assertEqual(code, 0)
        self.assertIn("Examples:", out)

    def test_the_manual_page_has_every_option_and_command(self):
        with open(PAGE, encoding="utf-8") as page:
            manual = page.read().replace("\\-", "-")
        _, out, _ = self.run_it("--help")
        words = re.findall(r"--[a-z]+[a-z-]*", out.split("Examples:")[0])
        words += re.findall(r"^  ((?:show|delete|clear|config) [a-z]+)", out, re.MULTILINE)
        self.assertGreater(len(words), 18)
        for word in words:
            self.assertIn(word, manual)

    def test_a_configuration_that_is_too_long_is_not_sent(self):
        code, _, err = self.run_it("config", "check", "-", given="\n" * 600000)
        self.assertEqual(code, 1)
        self.assertIn("too large", err)

    def test_pages_are_followed_to_the_end(self):
        code, out, _ = self.run_it("show", "neighbours", script=[
            [neighbour(1), neighbour(2), {"done": {"rows": 2, "cursor": "0:2"}}],
            [neighbour(3), {"done": {"rows": 1}}]])
        self.assertEqual(code, 0)
        self.assertEqual(len(out.splitlines()), 4)
        self.assertEqual(self.daemon.requests[0],
                         {"cmd": "show", "what": "neighbours", "limit": 1000})
        self.assertEqual(self.daemon.requests[1]["cursor"], "0:2")

    def test_a_limit_counts_over_pages(self):
        code, out, _ = self.run_it("--json", "show", "neighbours", "limit", "1001", script=[
            [neighbour(n % 250) for n in range(1000)] + [{"done": {"cursor": "0:9"}}],
            [neighbour(1), {"done": {"cursor": "0:10"}}]])
        self.assertEqual(code, 0)
        self.assertEqual([r["limit"] for r in self.daemon.requests], [1000, 1])
        self.assertEqual(len([json.loads(line) for line in out.splitlines()]), 1001)

    def test_a_refusal_ends_with_one(self):
        error = {"code": "not-found", "message": "there is no such mapping"}
        words = ["delete", "mapping", "tcp", "100.64.0.1:80"]
        code, out, err = self.run_it(*words, script=[[{"error": error}]])
        self.assertEqual((code, out), (1, ""))
        self.assertEqual(err, "posternctl: there is no such mapping\n")

    def test_a_refusal_is_json_when_asked_for(self):
        error = {"code": "static", "message": "m"}
        code, out, _ = self.run_it("-j", "clear", "subscriber", "100.64.0.1",
                                   script=[[{"error": error}]])
        self.assertEqual(code, 1)
        self.assertEqual(json.loads(out), {"error": error})

    def test_a_daemon_that_dies_is_no_success(self):
        code, _, err = self.run_it("show", "mappings", script=[None])
        self.assertEqual(code, 3)
        self.assertIn("closed the connection", err)

    def test_an_answer_that_is_no_json_is_no_success(self):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(self.path)
        listener.listen(1)
        process = self.start("show", "status")
        client, _ = listener.accept()
        client.sendall(b"hello\n")
        _, err = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 3)
        self.assertIn("broke off", err)

    def test_a_refusal_is_read_although_the_daemon_hung_up(self):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(self.path)
        listener.listen(1)

        def refuse():
            client, _ = listener.accept()
            client.sendall(b'{"error":{"code":"too-many-clients","message":"16 are there"}}\n')
            client.close()
        threading.Thread(target=refuse, daemon=True).start()
        # Nobody reads a request of nearly a megabyte: it cannot have been sent by then.
        code, _, err = self.run_it("config", "check", "-", given="#" * 900000)
        self.assertEqual((code, err), (1, "posternctl: 16 are there\n"))

    def test_a_configuration_travels_with_its_name(self):
        file = os.path.join(self.folder.name, "new.yaml")
        with open(file, "w", encoding="utf-8") as out:
            out.write("workers: 2\n")
        code, out, _ = self.run_it("config", "apply", file,
                                   script=[[{"done": {"generation": 2, "workers": 2}}]])
        self.assertEqual((code, out), (0, "generation 2 is in force on all 2 workers\n"))
        self.assertEqual(self.daemon.requests[0], {
            "cmd": "config", "what": "apply", "text": "workers: 2\n",
            "file": os.path.realpath(file)})

    def test_a_configuration_comes_from_standard_input(self):
        code, out, _ = self.run_it("config", "check", "-", given="a: 1\n",
                                   script=[[{"done": {"live": True, "restart": []}}]])
        self.assertEqual(code, 0)
        self.assertEqual(self.daemon.requests[0]["text"], "a: 1\n")

    def test_a_file_that_is_not_there_is_said(self):
        code, _, err = self.run_it("config", "check", "/nonexistent/x.yaml")
        self.assertEqual(code, 1)
        self.assertIn("/nonexistent/x.yaml: No such file", err)

    def test_nothing_is_coloured_in_a_pipe(self):
        _, out, _ = self.run_it("show", "neighbours", script=[[neighbour(1), {"done": {}}]])
        self.assertNotIn("\033", out)

    def test_an_interrupt_ends_between_lines(self):
        process = self.start("show", "neighbours", script=[
            [neighbour(1), {"done": {"cursor": "0:1"}}], []])
        while len(self.daemon.requests) < 2:
            time.sleep(0.001)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 130)
        self.assertEqual(len(out.splitlines()), 2)
        self.assertTrue(out.endswith("\n"))


unittest.main(warnings="ignore")
