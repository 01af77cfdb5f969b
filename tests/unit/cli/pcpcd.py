#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs pcpcd against a small PCP server on the loopback, and pcpc list against pcpcd: what they say,
what the server is asked, how they end.

usage: pcpcd.py PCPCD_PROGRAM PCPC_PROGRAM PAGE EXAMPLE
"""
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

PCPCD, PCPC, PAGE, EXAMPLE = sys.argv[1:5]
POOL = bytes(10) + b"\xff\xff" + bytes([203, 0, 113, 5])


class Server:
    """Grants 203.0.113.5 and internal port + 10000, unless `results` has the port; remembers nonces
    and refuses others (NOT_AUTHORIZED), as a server must."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.name = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.results, self.requests, self.open = {}, [], {}
        self.begun = time.monotonic() - 100
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            data, client = self.socket.recvfrom(2000)
            reply = self.answer(data)
            if reply:
                self.socket.sendto(reply, client)

    def answer(self, data):
        if data[0] != 2 or data[1] != 1:
            return b""
        life, = struct.unpack(">I", data[4:8])
        nonce, key, port = data[24:36], (data[36], data[40:42]), struct.unpack(">H", data[40:42])[0]
        self.requests.append((port, life, nonce))
        result = self.results.get(port, 0)
        if result == 0 and self.open.get(key, nonce) != nonce:
            result = 2
        if result == 0 and life == 0:
            self.open.pop(key, None)
        elif result == 0:
            self.open[key] = nonce
        external = data[42:60] if result or life == 0 else struct.pack(">H", port + 10000) + POOL
        epoch = int(time.monotonic() - self.begun)
        return (struct.pack(">4B2I12x", 2, 0x81, 0, result, 30 if result else life, epoch) +
                data[24:42] + external + data[60:])

    def lose_everything(self):
        self.open, self.begun = {}, time.monotonic()

    def count(self, port, life=None):
        return sum(1 for p, l, _ in self.requests if p == port and (life is None or l == life))


def eventually(what, seconds=10):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if what():
            return True
        time.sleep(0.02)
    return False


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    return done.returncode, done.stdout, done.stderr


WEB = "- {name: web, protocol: tcp, internal-port: 80, lifetime: 10m}"
GAME = "- {name: game, protocol: both, internal-port: 90}"


class Agent(unittest.TestCase):
    """One agent, one server, one folder."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="pcpcd-")
        self.file, self.socket = self.path("pcpcd.yaml"), self.path("sock")
        self.server, self.agent = Server(), None

    def tearDown(self):
        if self.agent and self.agent.poll() is None:
            self.agent.kill()
            self.agent.wait()
        self.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def write(self, *lines):
        with open(self.file, "w", encoding="utf-8") as out:
            out.write("servers: ['%s']\nstate-file: %s\nsocket: %s\npace: 10ms\n" %
                      (self.server.name, self.path("state"), self.socket))
            out.write("\n".join(lines) + "\n")

    def start(self):
        with open(self.path("log"), "a", encoding="utf-8") as log:
            self.agent = subprocess.Popen([PCPCD, self.file], stderr=log)
        self.assertTrue(eventually(lambda: run(PCPC, "list", "--socket", self.socket)[0] == 0),
                        self.log())

    def end(self, number=signal.SIGTERM):
        self.agent.send_signal(number)
        return self.agent.wait(timeout=20)

    def log(self):
        with open(self.path("log"), encoding="utf-8") as log:
            return log.read()

    def list(self):
        code, out, err = run(PCPC, "list", "--json", "--socket", self.socket)
        self.assertEqual(code, 0, err)
        return [json.loads(line) for line in out.splitlines()]

    def states(self):
        return [(row["name"], row["protocol"], row["state"]) for row in self.list()]

    def expect_states(self, *wanted):
        self.assertTrue(eventually(lambda: self.states() == list(wanted)),
                        (self.states(), self.log()))

    def test_it_opens_ports_and_lists_them(self):
        self.write("ports:", WEB, GAME)
        self.start()
        self.expect_states(("web", "tcp", "MAPPED"), ("game", "tcp", "MAPPED"),
                           ("game", "udp", "MAPPED"))
        row = self.list()[0]
        self.assertEqual(row["external"], {"address": "203.0.113.5", "port": 10080})
        self.assertEqual(row["internal"], {"address": "127.0.0.1", "port": 80})
        self.assertTrue(590 < row["lifetime"] <= 600, row)
        self.assertEqual((row["server"], row["version"], row["result"]),
                         (self.server.name, "2", 0))
        self.assertIn("web (tcp 80): open at 203.0.113.5:10080 for 600 s", self.log())
        _, out, _ = run(PCPC, "list", "--socket", self.socket)
        lines = out.splitlines()
        self.assertRegex(lines[0], r"^NAME +STATE +PROTOCOL +INTERNAL +EXTERNAL +LEFT +SERVER")
        self.assertRegex(lines[1], r"^web +MAPPED +tcp +127.0.0.1:80 +203.0.113.5:10080 +\d+m")
        self.assertEqual(len(lines), 4)

    def test_a_refusal_is_explained(self):
        self.server.results[80] = 8
        self.write("ports:", WEB)
        self.start()
        self.expect_states(("web", "tcp", "ERROR_WAIT"))
        self.assertIn("refused by %s for 30 s: NO_RESOURCES (8): the NAT is out of ports" %
                      self.server.name, self.log())
        _, out, _ = run(PCPC, "list", "--socket", self.socket)
        self.assertIn("NO_RESOURCES", out)
        self.assertIn("web: the NAT is out of ports", out)

    def test_a_new_file_changes_what_differs_and_nothing_else(self):
        self.write("ports:", WEB, GAME)
        self.start()
        self.assertTrue(eventually(lambda: len(self.server.open) == 3))
        self.write("ports:", WEB,
                   "- {name: mail, protocol: tcp, internal-port: 25}")
        self.agent.send_signal(signal.SIGHUP)
        self.expect_states(("web", "tcp", "MAPPED"), ("mail", "tcp", "MAPPED"))
        self.assertEqual(self.server.count(80), 1, "what stays is not asked for again")
        self.assertEqual(self.server.count(90, 0), 2, "what is gone is deleted")
        self.assertIn("game (udp 90): closed", self.log())
        self.assertIn("mappings: 1 new, 2 gone, 0 changed, 1 as before", self.log())

    def test_a_bad_file_changes_nothing(self):
        self.write("ports:", WEB)
        self.start()
        self.expect_states(("web", "tcp", "MAPPED"))
        before = len(self.server.requests)
        self.write("ports:", WEB, GAME, "- {name: web, protocol: x}", "colour: red")
        self.agent.send_signal(signal.SIGHUP)
        self.assertTrue(eventually(lambda: "is not put in force" in self.log()))
        self.assertIn("%s:8:10: ports[2].name: found 'web', expected each name once" % self.file,
                      self.log())
        self.assertIn("%s:9:1: found 'colour', expected one of" % self.file, self.log())
        self.expect_states(("web", "tcp", "MAPPED"))
        self.assertEqual(len(self.server.requests), before)

    def test_other_terms_are_asked_for_with_the_same_nonce(self):
        self.write("ports:", WEB)
        self.start()
        self.expect_states(("web", "tcp", "MAPPED"))
        self.write("ports:", WEB.replace("10m", "20m"))
        self.agent.send_signal(signal.SIGHUP)
        self.assertTrue(eventually(lambda: self.server.count(80, 1200) == 1))
        self.assertEqual(self.server.count(80, 0), 0, "nothing was closed")
        self.assertEqual(len({nonce for _, _, nonce in self.server.requests}), 1)
        self.write("ports:", WEB.replace("10m", "20m, external-port: 8080"))
        self.agent.send_signal(signal.SIGHUP)
        self.assertTrue(eventually(lambda: self.server.count(80, 1200) == 2), self.log())
        self.assertEqual(self.server.count(80, 0), 1, "another port needs another mapping")
        self.expect_states(("web", "tcp", "MAPPED"))

    def test_a_port_that_comes_back_while_it_is_closed_is_opened_again(self):
        self.write("ports:", WEB)
        self.start()
        self.expect_states(("web", "tcp", "MAPPED"))
        for ports in ("ports: []", "ports:\n" + WEB) * 3:
            self.write(ports)
            self.agent.send_signal(signal.SIGHUP)
            time.sleep(0.05)
        self.expect_states(("web", "tcp", "MAPPED"))
        self.assertEqual(len(self.server.open), 1)

    def test_settings_that_need_a_restart_are_named(self):
        self.write("ports:", WEB)
        self.start()
        self.write("ports:", WEB, "anycast: true")
        self.agent.send_signal(signal.SIGHUP)
        self.assertTrue(eventually(
            lambda: "anycast is another one now: restart pcpcd" in self.log()))

    def test_a_later_run_goes_on_without_asking(self):
        self.write("ports:", WEB, GAME)
        self.start()
        self.assertTrue(eventually(lambda: len(self.server.open) == 3))
        self.assertEqual(self.end(), 0)
        self.assertEqual(len(self.server.open), 3, "the ports stay open")
        self.assertNotEqual(run(PCPC, "list", "--socket", self.socket)[0], 0)
        self.write("ports:", WEB)
        self.start()
        self.expect_states(("web", "tcp", "MAPPED"))
        self.assertEqual(self.server.count(80), 1, "it is held already")
        self.assertEqual(self.server.count(90, 0), 2, "nobody wants these any more")
        self.assertEqual(len(self.server.open), 1)

    def test_a_later_run_with_other_filters_closes_the_port_first(self):
        narrow = WEB.replace("10m", "10m, filters: [198.51.100.0/24]")
        self.write("ports:", narrow)
        self.start()
        self.expect_states(("web", "tcp", "MAPPED"))
        self.end()
        self.write("ports:", narrow)
        self.start()
        self.expect_states(("web", "tcp", "MAPPED"))
        self.end()
        self.assertEqual(self.server.count(80), 1, "the filters are the same")
        self.write("ports:", narrow.replace("198", "203"))
        self.start()
        self.assertTrue(eventually(lambda: self.server.count(80) == 3), self.log())
        self.assertEqual([life for _, life, _ in self.server.requests], [600, 0, 600],
                         "a server would add the new filter to the old one")

    def test_a_later_run_that_insists_on_another_port_closes_the_one_held(self):
        self.write("ports:", WEB)
        self.start()
        self.expect_states(("web", "tcp", "MAPPED"))
        self.end()
        self.write("ports:", WEB.replace("80,", "80, external-port: 10080, prefer-failure: true,"))
        self.start()
        self.expect_states(("web", "tcp", "MAPPED"))
        self.end()
        self.assertEqual(self.server.count(80, 0), 0, "it is the one wanted")
        self.write("ports:", WEB.replace("80,", "80, external-port: 8080, prefer-failure: true,"))
        self.start()
        self.assertTrue(eventually(lambda: self.server.count(80, 0) == 1), self.log())
        self.assertNotIn("10080", self.log().split("keeps the ports")[-1])

    def test_a_later_run_closes_what_is_not_wanted_before_it_asks(self):
        self.write("ports:", GAME)
        self.start()
        self.assertTrue(eventually(lambda: len(self.server.open) == 2))
        self.end()
        self.server.requests.clear()
        self.write("ports:", WEB)
        self.start()
        self.expect_states(("web", "tcp", "MAPPED"))
        self.assertEqual([life for _, life, _ in self.server.requests], [0, 0, 600],
                         "the quota may allow no more")

    def test_external_ports_are_exchanged_when_both_are_free(self):
        deaf_to, answer = set(), self.server.answer

        def forgetful(data):
            port, life = struct.unpack(">H", data[40:42])[0], data[4:8]
            if life == bytes(4) and port in deaf_to:
                deaf_to.discard(port)
                return b""
            return answer(data)

        self.server.answer = forgetful
        first, second = "external-port: 8080", "external-port: 8081"
        self.write("ports:", WEB.replace("80,", "80, %s," % first),
                   GAME.replace("both", "tcp").replace("90", "90, " + second))
        self.start()
        self.expect_states(("web", "tcp", "MAPPED"), ("game", "tcp", "MAPPED"))
        self.server.requests.clear()
        deaf_to.add(90)
        self.write("ports:", WEB.replace("80,", "80, %s," % second),
                   "- {name: new, protocol: tcp, internal-port: 100, %s}" % first)
        self.agent.send_signal(signal.SIGHUP)
        self.assertTrue(eventually(lambda: len(self.server.requests) == 4), self.log())
        self.assertEqual([(port, life > 0) for port, life, _ in self.server.requests],
                         [(80, False), (100, True), (90, False), (80, True)])
        self.expect_states(("web", "tcp", "MAPPED"), ("new", "tcp", "MAPPED"))

    def test_a_refusal_of_other_terms_is_told_again(self):
        self.server.results[80] = 11
        self.write("ports:", WEB.replace("80,", "80, external-port: 8080,"))
        self.start()
        self.expect_states(("web", "tcp", "ERROR_WAIT"))
        self.write("ports:", WEB.replace("80,", "80, external-port: 8081,"))
        self.agent.send_signal(signal.SIGHUP)
        self.assertTrue(eventually(lambda: self.log().count("CANNOT_PROVIDE_EXTERNAL") == 2),
                        self.log())

    def test_a_port_that_was_to_be_replaced_is_deleted_with_patience_when_it_goes(self):
        answer = self.server.answer
        self.write("ports:", WEB)
        self.start()
        self.expect_states(("web", "tcp", "MAPPED"))
        self.server.answer = lambda data: b""
        for ports in (WEB.replace("80,", "80, external-port: 8080,"), GAME):
            self.write("ports:", ports)
            self.agent.send_signal(signal.SIGHUP)
            time.sleep(0.3)
        time.sleep(10)
        self.assertIn(("web", "tcp", "DELETING"), self.states())
        self.server.answer = answer
        self.assertTrue(eventually(lambda: "web (tcp 80): closed" in self.log(), 20), self.log())

    def test_a_run_after_a_kill_owns_its_ports(self):
        self.write("ports:", WEB)
        self.start()
        self.assertTrue(eventually(lambda: len(self.server.open) == 1))
        self.end(signal.SIGKILL)
        if os.path.exists(self.path("state")):
            os.unlink(self.path("state"))
        self.start()
        self.expect_states(("web", "tcp", "MAPPED"))

    def test_a_server_that_lost_everything_is_asked_again(self):
        self.write("ports:", WEB, GAME)
        self.start()
        self.assertTrue(eventually(lambda: len(self.server.open) == 3))
        self.server.lose_everything()
        self.write("ports:", WEB, GAME, "- {name: other, protocol: tcp, internal-port: 100}")
        self.agent.send_signal(signal.SIGHUP)  # its answer tells the Epoch
        self.assertTrue(eventually(lambda: len(self.server.open) == 4), self.log())
        self.assertIn("lost its state", self.log())

    def test_told_to_it_closes_its_ports_in_the_end(self):
        self.write("release-on-exit: true", "ports:", WEB, GAME)
        self.start()
        self.assertTrue(eventually(lambda: len(self.server.open) == 3))
        self.assertEqual(self.end(signal.SIGINT), 0)
        self.assertEqual(self.server.open, {})

    def test_a_silent_server_does_not_keep_it_from_ending(self):
        self.server.answer = lambda data: b""
        self.write("release-on-exit: true", "ports:", WEB)
        self.start()
        self.expect_states(("web", "tcp", "WAIT_RESPONSE"))
        begun = time.monotonic()
        self.agent.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        self.assertIsNone(self.agent.poll(), "it waits for the server")
        self.assertEqual(self.end(), 0, "and a second signal ends that")
        self.assertLess(time.monotonic() - begun, 4)

    def test_readers_who_read_nothing_disturb_nobody(self):
        self.write("ports:", WEB)
        self.start()
        lazy = []
        for _ in range(30):
            one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            one.setblocking(False)
            try:
                one.connect(self.socket)
            except BlockingIOError:
                pass
            lazy.append(one)
        self.expect_states(("web", "tcp", "MAPPED"))
        for one in lazy:
            one.close()

    def test_two_agents_do_not_share_a_file(self):
        self.write("ports:", WEB)
        self.start()
        code, _, err = run(PCPCD, self.file)
        self.assertEqual(code, 1)
        self.assertIn("another pcpcd answers there", err)
        with open(self.file, encoding="utf-8") as old, \
                open(self.path("second"), "w", encoding="utf-8") as new:
            new.write(old.read().replace(self.socket, self.socket + "2"))
        code, _, err = run(PCPCD, self.path("second"))
        self.assertEqual(code, 1)
        self.assertIn("does pcpcd run already?", err)
        self.assertFalse(os.path.exists(self.socket + "2"))

    def test_systemd_is_told(self):
        told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        told.bind(self.path("notify"))
        told.settimeout(10)
        self.addCleanup(told.close)
        os.environ["NOTIFY_SOCKET"] = self.path("notify")
        self.addCleanup(os.environ.pop, "NOTIFY_SOCKET")
        self.write("ports:", WEB)
        self.start()

        def heard(pattern):
            while not re.match(pattern, told.recv(4096).decode()):
                pass

        heard("READY=1$")
        heard("STATUS=1 of 1 mappings are open$")
        self.agent.send_signal(signal.SIGHUP)
        heard(r"RELOADING=1\nMONOTONIC_USEC=\d+$")
        heard("READY=1$")
        self.end()
        heard("STOPPING=1$")

    def test_the_state_is_its_own(self):
        self.write("ports:", WEB)
        self.start()
        self.expect_states(("web", "tcp", "MAPPED"))
        self.end()
        for name in ("state", "state.secret"):
            self.assertEqual(os.stat(self.path(name)).st_mode & 0o7777, 0o600)


class Words(unittest.TestCase):
    """The command line, and the pages."""

    def test_usage(self):
        self.assertEqual(run(PCPCD, "--colour")[0], 2)
        self.assertEqual(run(PCPCD, "--log-level", "loud", "x")[0], 2)
        self.assertEqual(run(PCPCD, "a", "b")[0], 2)
        self.assertEqual(run(PCPCD, "--help")[0], 0)
        self.assertRegex(run(PCPCD, "--version")[1], r"^pcpcd \d")

    def test_check_says_what_is_wrong(self):
        code, _, err = run(PCPCD, "--check", "/nowhere")
        self.assertEqual((code, err), (2, "/nowhere: No such file or directory\n"))
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as out:
            out.write("ports: [{name: a, protocol: tcp, internal-port: 70000}]\n")
            out.flush()
            code, _, err = run(PCPCD, "--check", out.name)
            self.assertEqual(code, 2)
            self.assertEqual(err, "%s:1:49: ports[0].internal-port: found '70000', expected a "
                             "port from 1 to 65535\n" % out.name)
            self.assertEqual(run(PCPCD, out.name)[0], 2)

    # RestartPreventExitStatus=2 would leave the agent down for ever where eth0 comes after it.
    def test_an_interface_that_is_not_there_yet_is_waited_for(self):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as out:
            out.write("servers: ['fe80::1%not-there']\nports: []\n")
            out.flush()
            code, _, err = run(PCPCD, out.name)
            self.assertEqual(code, 1)
            self.assertIn("expected an interface that this host has", err)
            out.write("pace: never\n")
            out.flush()
            self.assertEqual(run(PCPCD, out.name)[0], 2)

    def test_the_example_is_right_and_so_is_all_that_it_comments_out(self):
        self.assertEqual(run(PCPCD, "--check", EXAMPLE)[0], 0)
        with open(EXAMPLE, encoding="utf-8") as page, \
                tempfile.NamedTemporaryFile("w", suffix=".yaml") as out:
            out.write(re.sub(r"(?m)^#(?=[a-z0-9-]+:|  -|    [a-z])", "", page.read()))
            out.flush()
            code, said, err = run(PCPCD, "--check", out.name)
            self.assertEqual(code, 0, err)
            self.assertIn("mappings: 4", said)

    def test_a_wrong_file_is_not_tried_again_and_again_by_systemd(self):
        with open(os.path.join(os.path.dirname(EXAMPLE), "pcpcd.service"), encoding="utf-8") as unit:
            lines = unit.read().splitlines()
        self.assertIn("RestartPreventExitStatus=2", lines)
        self.assertEqual([line for line in lines if line.startswith("ExecStartPre")], [],
                         "RestartPreventExitStatus is about the main process alone")

    def test_the_manual_page_has_every_option_and_setting(self):
        with open(PAGE, encoding="utf-8") as page:
            manual = page.read().replace("\\-", "-")
        words = re.findall(r"--[a-z]+[a-z-]*", run(PCPCD, "--help")[1])
        with open(EXAMPLE, encoding="utf-8") as page:
            words += re.findall(r"(?m)^#?([a-z0-9-]+):", page.read())
        self.assertGreater(len(words), 12)
        for word in words + ["name:", "protocol:", "internal-port:", "external-port:",
                             "prefer-failure:", "lifetime:", "description:", "filters:"]:
            self.assertIn(word, manual)

    def test_list_says_that_something_else_answers(self):
        with tempfile.TemporaryDirectory(prefix="pcpcd-") as folder, \
                socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
            other.bind(os.path.join(folder, "sock"))
            other.listen()

            def greet():
                with other.accept()[0] as caller:
                    caller.sendall(b"220 hello\n")

            threading.Thread(target=greet).start()
            code, out, err = run(PCPC, "list", "--socket", os.path.join(folder, "sock"))
        self.assertEqual((code, out), (3, ""))
        self.assertIn("sock: what answers there is no pcpcd, or hung up early", err)

    def test_list_says_that_no_agent_runs(self):
        code, _, err = run(PCPC, "list", "--socket", "/nowhere/sock")
        self.assertEqual(code, 3)
        self.assertIn("/nowhere/sock: no agent runs there: start pcpcd", err)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
