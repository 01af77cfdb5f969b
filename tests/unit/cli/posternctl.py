#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""posternctl as a program, against a daemon played by this script: what it sends, what it prints,
how it ends; in one command, as a script, and as a shell on a terminal.

    posternctl.py PROGRAM MANUAL-PAGE
"""

import json
import os
import pty
import re
import select
import signal
import socket
import stat
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


class Town(threading.Thread):
    """A daemon for many clients, one connection after another: answer(request) is a list."""

    def __init__(self, path, answer=lambda request: [{"done": {}}]):
        super().__init__(daemon=True)
        self.answer, self.requests = answer, []
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(path)
        self.listener.listen(8)
        self.start()

    def run(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:  # the story closed it
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        for line in client.makefile("rb"):
            request = json.loads(line)
            self.requests.append(request)
            for answer in self.answer(request):
                client.sendall(json.dumps(answer).encode() + b"\n")

    def commands(self):
        return [f"{request['cmd']} {request['what']}" for request in self.requests]


class Terminal:
    """The program on a terminal of its own."""

    def __init__(self, *words, **environment):
        self.text = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(PROGRAM, [PROGRAM, *words],
                      {"TERM": "vt100", "LC_ALL": "C.UTF-8", "NO_COLOR": "1",
                       # libedit never frees the names of keys' functions (3.1-20221030).
                       "ASAN_OPTIONS": "detect_leaks=0", **environment})

    def type(self, text):
        os.write(self.fd, text.encode())

    def read(self, seconds):
        if not select.select([self.fd], [], [], seconds)[0]:
            return False
        try:
            got = os.read(self.fd, 4096)
        except OSError:  # the other end is closed
            return False
        self.text += got.decode(errors="replace")
        return bool(got)

    def expect(self, words, seconds=20):
        """Waits for the words; what came before them, and they, are taken away."""
        end = time.monotonic() + seconds
        while words not in self.text:
            if time.monotonic() > end or not (self.read(0.2) or time.monotonic() < end):
                raise AssertionError(f"no {words!r} in {self.text!r}")
        before, self.text = self.text.split(words, 1)
        return before

    def wait(self):
        while self.read(20):
            pass
        end = time.monotonic() + 20
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        while not pid:
            if time.monotonic() > end:
                raise AssertionError(f"it does not end: {self.text!r}")
            time.sleep(0.01)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        os.close(self.fd)
        self.pid = 0
        return os.waitstatus_to_exitcode(status)

    def end(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            self.wait()


def neighbour(n):
    return {"row": {"interface": "in", "address": f"100.64.0.{n}", "mac": "02:00:00:00:00:01",
                    "state": "stale", "age_s": n}}


class Base(unittest.TestCase):
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


class Program(Base):
    """One command in the program's words."""

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
        words += re.findall(r"^  ((?:show|add|delete|clear|reset|config) [a-z-]+)", out,
                            re.MULTILINE)
        self.assertGreater(len(words), 25)
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

    def test_a_description_with_an_octet_0_hides_nobody(self):
        row = {"row": {"protocol": "udp", "internal_address": "100.64.0.10",
                       "internal_port": 5000, "description": "a\0b"}}
        code, out, err = self.run_it("--json", "show", "mappings", "100.64.0.10",
                                     script=[[row, {"done": {"rows": 1}}]])
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(json.loads(out)["description"], "a\0b")

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


class Script(Base):
    """Commands from standard input."""

    def run_lines(self, lines, *words, answer=None, **environment):
        self.town = Town(self.path, answer) if answer else Town(self.path)
        return self.run_it(*words, given=lines, **environment)

    def test_lines_are_commands_and_nothing_is_prompted(self):
        code, out, err = self.run_lines(
            "# what happened\n\nshow version\n  delete mapping tcp 100.64.0.1:80\n")
        self.assertEqual((code, out, err), (0, "deleted\n", ""))
        self.assertEqual(self.town.commands(), ["show version", "delete mapping"])

    def test_a_wrong_line_stops_nothing_and_the_last_code_counts(self):
        code, out, err = self.run_lines("show nothing\nclear subscriber 100.64.0.1\n")
        self.assertEqual((code, out), (0, "cleared\n"))
        self.assertIn('"show nothing" is no command', err)

    def test_the_last_lines_code_is_the_scripts(self):
        code, _, _ = self.run_lines("show version\nshow nothing\n# the end\n")
        self.assertEqual(code, 2)

    def test_exit_ends_it_with_the_code_before(self):
        error = {"error": {"code": "not-found", "message": "there is no such subscriber"}}
        code, _, _ = self.run_lines("clear subscriber 100.64.0.1\nexit\nshow version\n",
                                    answer=lambda request: [error])
        self.assertEqual(code, 1)
        self.assertEqual(self.town.commands(), ["clear subscriber"])

    def test_options_hold_for_every_line(self):
        row = {"row": {"program": "posternd", "version": "1"}}
        code, out, _ = self.run_lines("show version\nshow version\n", "--json", "shell",
                                      answer=lambda request: [row, {"done": {}}])
        self.assertEqual(code, 0)
        self.assertEqual([json.loads(line) for line in out.splitlines()], [row["row"]] * 2)

    def test_a_text_is_quoted_as_in_sh(self):
        self.run_lines("add mapping tcp 100.64.0.1:80 description 'web, \"4711\"'\n"
                       'add mapping tcp 100.64.0.1:81 description a\\ b\n')
        self.assertEqual([request["key"]["description"] for request in self.town.requests],
                         ['web, "4711"', "a b"])

    def test_a_quote_without_end_is_said(self):
        code, _, err = self.run_lines("show version\nadd mapping tcp 1.2.3.4:5 description 'x\n")
        self.assertEqual(code, 2)
        self.assertIn("no end", err)

    def test_the_script_is_not_the_file(self):
        code, _, err = self.run_lines("config check -\nworkers: 2\n")
        self.assertEqual(code, 2)
        self.assertIn("name a FILE", err)
        self.assertEqual(self.town.requests, [])

    def test_no_lines_are_no_failure(self):
        self.assertEqual(self.run_lines("")[:2], (0, ""))

    def test_each_line_finds_a_daemon_or_not(self):
        code, _, err = self.run_it(given="show version\nshow status\n")
        self.assertEqual(code, 3)
        self.assertEqual(err.count("no posternd answers"), 2)

    def test_help_of_a_word(self):
        _, out, _ = self.run_lines("help reset\n")
        self.assertEqual(len(out.splitlines()), 1)
        self.assertIn("reset epoch group NAME", out)


GROUPS = [{"row": {"name": "residential"}}, {"row": {"name": "business"}}, {"done": {}}]
PORTS = [{"row": {"interfaces": [{"name": "home", "side": "inside"},
                                 {"name": "up", "side": "outside"}]}}, {"done": {}}]


def answer_names(request):
    return {"groups": GROUPS, "ports": PORTS}.get(request["what"], [{"done": {}}])


class Shell(Base):
    """Commands from a terminal."""

    def setUp(self):
        super().setUp()
        self.terminal = None

    def tearDown(self):
        if self.terminal:
            self.terminal.end()
        super().tearDown()

    def open(self, *words, answer=answer_names, **environment):
        if not hasattr(self, "town"):
            self.town = Town(self.path, answer)
        self.terminal = Terminal(*words, POSTERN_SOCKET=self.path, HOME=self.folder.name,
                                 **environment)
        self.terminal.expect("postern> ")
        return self.terminal

    def leave(self):
        self.terminal.type("\x04")
        return self.terminal.wait()

    def history(self):
        return os.path.join(self.folder.name, ".postern_history")

    def test_a_line_is_a_command(self):
        terminal = self.open()
        terminal.type("delete mapping tcp 100.64.0.1:80\r")
        terminal.expect("deleted")
        terminal.expect("postern> ")
        self.assertEqual(self.leave(), 0)
        self.assertEqual(self.town.commands(), ["delete mapping"])

    def test_the_word_shell_begins_one_too(self):
        self.open("--json", "shell").type("clear subscriber 100.64.0.1\r")
        self.terminal.expect("{}")
        self.terminal.expect("postern> ")
        self.assertEqual(self.leave(), 0)

    def test_exit_leaves_with_the_code_before(self):
        terminal = self.open()
        terminal.type("show nothing\r")
        terminal.expect("is no command")
        terminal.expect("postern> ")
        terminal.type("exit\r")
        self.assertEqual(terminal.wait(), 2)

    def test_tab_completes_words(self):
        terminal = self.open()
        terminal.type("sh\tma\tkin\tpe\t\r")
        terminal.expect("(none)")
        self.assertEqual(self.town.requests[0]["filter"], {"kind": "peer"})

    def test_tab_asks_the_daemon_for_groups(self):
        terminal = self.open()
        terminal.type("clear group res\t\r")
        terminal.expect("cleared")
        self.assertEqual(self.town.commands(), ["show groups", "clear group"])
        self.assertEqual(self.town.requests[1]["key"], {"group": "residential"})

    def test_tab_asks_the_daemon_for_inside_interfaces(self):
        terminal = self.open()
        terminal.type("clear subscriber 100.64.0.1 realm \t\r")
        terminal.expect("cleared")
        self.assertEqual(self.town.requests[1]["key"]["realm"], "home")

    def test_tab_lists_what_there_is(self):
        terminal = self.open()
        terminal.type("show p\t")
        terminal.expect("pcp-clients")
        terminal.expect("ports")
        terminal.expect("postern> show p")
        self.assertEqual(self.town.requests, [])

    def test_tab_waits_for_no_silent_daemon(self):
        def silent(request):
            return [] if request["what"] == "groups" else [{"done": {}}]
        terminal = self.open(answer=silent)
        terminal.type("clear group \tx\r")
        terminal.expect("cleared", 10)
        self.assertEqual(self.town.requests[-1]["key"], {"group": "x"})

    def test_a_question_mark_explains_and_is_not_typed(self):
        terminal = self.open()
        terminal.type("show mappings kind ?")
        terminal.expect("asked for with PEER")
        terminal.expect("postern> ")
        terminal.type("peer\r")
        terminal.expect("(none)")
        self.assertEqual(self.town.requests[0]["filter"], {"kind": "peer"})

    def test_a_question_mark_in_a_text_is_one(self):
        terminal = self.open()
        terminal.type("add mapping tcp 100.64.0.1:1 description \"why?\"\r")
        terminal.expect("outside")
        self.assertEqual(self.town.requests[0]["key"]["description"], "why?")

    def test_control_c_cancels_a_line(self):
        terminal = self.open()
        terminal.type("clear subscriber 100.64.0.1")
        terminal.expect("100.64.0.1")
        terminal.type("\x03")
        terminal.expect("^C")
        terminal.expect("postern> ")
        terminal.type("show mappings\x01\x03")  # also from its beginning
        terminal.expect("^C")
        terminal.expect("postern> ")
        terminal.type("delete mapping tcp 100.64.0.1:80\r")
        terminal.expect("deleted")
        self.assertEqual(self.town.commands(), ["delete mapping"])
        terminal.expect("postern> ")
        self.assertEqual(self.leave(), 0)

    def test_control_c_ends_a_command_and_not_the_shell(self):
        terminal = self.open(answer=lambda request: [])
        terminal.type("show mappings\r")
        while not self.town.requests:
            time.sleep(0.001)
        terminal.type("\x03")
        terminal.expect("postern> ")
        self.assertEqual(self.leave(), 130)

    def test_sigterm_ends_the_shell(self):
        terminal = self.open()
        os.kill(terminal.pid, signal.SIGTERM)
        self.assertEqual(terminal.wait(), -signal.SIGTERM)

    def test_lines_are_remembered_for_the_next_shell_alone(self):
        terminal = self.open()
        terminal.type("delete mapping tcp 100.64.0.1:80\r")
        terminal.expect("deleted")
        terminal.expect("postern> ")
        self.leave()
        self.assertEqual(stat.S_IMODE(os.stat(self.history()).st_mode), 0o600)
        terminal = self.open()
        terminal.type("\x1b[A\r")
        terminal.expect("deleted")
        self.assertEqual(self.town.commands(), ["delete mapping"] * 2)

    def test_history_is_bounded(self):
        with open(self.history(), "w", encoding="utf-8") as out:
            out.write("_HiStOrY_V2_\n")
            out.writelines(f"show\\040version\\040{n}\n" for n in range(3000))
        terminal = self.open()
        terminal.type("delete mapping tcp 100.64.0.1:80\r")
        terminal.expect("deleted")
        terminal.expect("postern> ")
        self.leave()
        with open(self.history(), encoding="utf-8") as lines:
            kept = lines.read().splitlines()
        self.assertLessEqual(len(kept), 501)
        self.assertIn("delete", kept[-1])
        self.assertIn("2999", kept[-2])

    def test_a_daemon_may_start_again_under_a_shell(self):
        terminal = self.open()
        self.town.listener.shutdown(socket.SHUT_RDWR)
        self.town.listener.close()
        os.unlink(self.path)
        terminal.type("show version\r")
        terminal.expect("no posternd answers")
        terminal.expect("postern> ")
        self.town = Town(self.path, answer_names)
        terminal.type("delete mapping tcp 100.64.0.1:80\r")
        terminal.expect("deleted")


unittest.main(warnings="ignore")
