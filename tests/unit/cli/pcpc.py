#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs pcpc against a small PCP server on the loopback and reads its words and exit codes.

usage: pcpc.py PCPC_PROGRAM
"""
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

PROGRAM = sys.argv[1]
POOL = bytes(10) + b"\xff\xff" + bytes([203, 0, 113, 5])


class Server:
    """Grants 203.0.113.5:40001 for what is asked; `result`, `grant` and `reply` bend that."""

    def __init__(self, result=0, grant=None, reply=None, deaf=0, address="127.0.0.1"):
        six = ":" in address
        self.socket = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 0))
        self.name = ("[%s]:%d" if six else "%s:%d") % (address, self.socket.getsockname()[1])
        self.result, self.grant, self.reply, self.deaf = result, grant, reply, deaf
        self.requests = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            data, client = self.socket.recvfrom(2000)
            self.requests.append(data)
            reply = self.reply or (self.answer(data) if len(self.requests) > self.deaf else b"")
            if reply:
                self.socket.sendto(reply, client)

    def answer(self, data):
        life = struct.unpack(">I", data[4:8])[0]
        if self.result:
            return self.header(data, self.result, 1800) + data[24:]
        if data[1] == 0:
            return self.header(data, 0, 0)
        if life == 0:
            return self.header(data, 0, 0) + data[24:]
        external = struct.pack(">H", 40001) + POOL
        return self.header(data, 0, self.grant or life) + data[24:42] + external + data[60:]

    @staticmethod
    def header(data, result, life):
        return struct.pack(">4B2I12x", 2, data[1] | 0x80, 0, result, life, 100)


def run(*words, **environment):
    """Without configuration but the one that a test gives; nothing of this host's is read."""
    known = {"PATH": os.environ["PATH"], "XDG_CONFIG_HOME": "/nonexistent", **environment}
    done = subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=30, env=known)
    return done.returncode, done.stdout.strip(), done.stderr.strip()


def pcpc(state, server, *words):
    return run("--state", state, "--server", getattr(server, "name", server), *words)


def test_map_renew_delete(state):
    server = Server()
    code, out, _ = pcpc(state, server, "map", "tcp", "8080", "--lifetime", "1h")
    assert code == 0, code
    assert out == "203.0.113.5:40001 -> 127.0.0.1:8080 tcp, lifetime 3600 s, epoch 100", out
    code, out, _ = pcpc(state, server, "renew", "tcp", "8080", "--lifetime", "2h")
    assert code == 0 and "lifetime 7200 s" in out, out
    code, out, _ = pcpc(state, server, "delete", "tcp", "8080")
    assert code == 0 and out == "tcp 8080 is closed, epoch 100", out
    create, renew, delete = server.requests
    assert create[24:36] == renew[24:36] == delete[24:36] != bytes(12), "one nonce throughout"
    assert renew[42:60] == struct.pack(">H", 40001) + POOL, "the pair it has is the hint"
    assert delete[4:8] == bytes(4) and delete[42:44] == bytes(2)
    code, _, err = pcpc(state, server, "delete", "tcp", "8080")
    assert code == 2 and "nonce" in err, err


def test_unmap_is_delete(state):
    server = Server()
    code, _, _ = pcpc(state, server, "map", "tcp", "8080")
    assert code == 0, code
    code, out, _ = pcpc(state, server, "unmap", "tcp", "8080")
    assert code == 0 and out == "tcp 8080 is closed, epoch 100", out
    assert server.requests[-1][4:8] == bytes(4), "a lifetime of nothing deletes"


def test_nonce_and_raw(state):
    server = Server()
    nonce = "00112233445566778899aabb"
    code, out, _ = pcpc(state, server, "--raw", "--nonce", nonce, "delete", "udp", "53")
    lines = out.splitlines()
    assert code == 0 and lines[0].startswith("> 02010000 00000000 "), out
    assert lines[0][2:].replace(" ", "") == server.requests[0].hex()
    assert server.requests[0][24:36].hex() == nonce


def test_announce(state):
    code, out, _ = pcpc(state, Server(), "announce")
    assert code == 0 and "epoch 100" in out and "1 min 40 s" in out, out


def test_json(state):
    code, out, _ = pcpc(state, Server(), "--json", "--raw", "map", "udp", "53")
    said = json.loads(out)
    assert code == 0 and said["status"] == "granted" and said["lifetime"] == 3600, out
    assert said["external"] == {"address": "203.0.113.5", "port": 40001}
    assert said["internal"] == {"address": "127.0.0.1", "port": 53}
    assert len(said["datagrams"]) == 2


def test_refusals(state):
    for result in range(2, 14):
        code, _, err = pcpc(state, Server(result), "map", "tcp", "80")
        passes = result in (7, 8, 10, 11)
        assert code == (5 if passes else 1), (result, code)
        assert "(%d)" % result in err and "not know" not in err, err


def test_prefer_failure(state):
    server = Server()
    code, _, _ = pcpc(state, server, "map", "tcp", "443", "--external", "203.0.113.5:40001", "-p")
    assert code == 0 and server.requests[0][60:] == bytes([2, 0, 0, 0])
    code, _, _ = pcpc(state, Server(), "map", "tcp", "444", "--external-port", "444", "-p", "-t1")
    assert code == 3, "another port than the wished one is no success"


def test_other_versions(state):
    code, _, err = pcpc(state, Server(reply=bytes([0, 0x80, 0, 1, 0, 0, 0, 9])), "map", "tcp", "80")
    assert code == 1 and "NAT-PMP" in err, err
    code, _, err = pcpc(state, Server(reply=bytes([1, 0x81, 0, 1]) + bytes(20)), "-v", "2", "map",
                        "tcp", "80")
    assert code == 1 and "version 1" in err, err


def test_silence(state):
    closed = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    closed.bind(("127.0.0.1", 0))
    name = "127.0.0.1:%d" % closed.getsockname()[1]
    code, _, err = pcpc(state, name, "-t", "1", "announce")
    assert code == 3 and "no answer" in err, err
    closed.close()
    code, _, err = pcpc(state, name, "-t", "1", "announce")
    assert code == 3 and "ICMP" in err, err


def test_several_servers(state):
    first, second = Server(), Server()
    code, out, err = pcpc(state, first, "--server", second.name, "map", "tcp", "8080")
    assert code == 0 and len(out.splitlines()) == 2, out
    assert "by " + first.name in out and "by " + second.name in out, out
    assert "asking " + second.name in err, err
    assert first.requests[0][24:36] != second.requests[0][24:36], "each has its own nonce"
    code, out, _ = pcpc(state, first, "--server", second.name, "unmap", "tcp", "8080")
    assert code == 0 and len(out.splitlines()) == 2, out
    assert first.requests[0][24:36] == first.requests[1][24:36]
    silent, refusing, later = Server(deaf=99), Server(2), Server(8)
    for other, expected in ((silent, 6), (refusing, 6), (later, 6)):
        code, _, _ = pcpc(state, first, "-s", other.name, "-t", "1", "map", "tcp", "8081")
        assert code == expected, (code, expected)
    code, _, _ = pcpc(state, refusing, "-s", later.name, "map", "tcp", "8082")
    assert code == 1
    code, _, _ = pcpc(state, later, "-s", silent.name, "-t", "1", "map", "tcp", "8082")
    assert code == 5
    code, out, _ = pcpc(state, first, "-s", second.name, "get", "--json")
    assert code == 0 and len(out.splitlines()) == 2, "everybody is asked"


def test_servers_of_both_families(state):
    try:
        six = Server(address="::1")
    except OSError as error:
        print("  skipped: no IPv6 here:", error)
        return
    four = Server()
    code, out, _ = pcpc(state, six, "-s", four.name, "map", "tcp", "8080", "--json")
    inside = {json.loads(line)["internal"]["address"] for line in out.splitlines()}
    assert code == 0 and inside == {"::1", "127.0.0.1"}, out
    assert six.requests[0][8:24] == bytes(15) + b"\x01", "the client is who asks"
    code, out, _ = pcpc(state, six, "-s", four.name, "unmap", "tcp", "8080")
    assert code == 0 and len(out.splitlines()) == 2, out


def test_configuration_file(state):
    server, other = Server(), Server()
    folder = os.path.dirname(state)
    path = os.path.join(folder, "pcpc")
    with open(path, "w", encoding="ascii") as file:
        file.write("# ours\nserver %s # the near one\nlifetime=2h\nstate %s\n" %
                   (server.name, state))
    code, out, err = run("map", "tcp", "8080", XDG_CONFIG_HOME=folder)
    assert code == 0 and "lifetime 7200 s" in out and path in err, (out, err)
    assert os.path.exists(state), "the nonce is where the file says"
    code, out, _ = run("map", "tcp", "8080", "-l", "1h", "-s", other.name, XDG_CONFIG_HOME=folder)
    assert code == 0 and "lifetime 3600 s" in out, "the command line wins"
    assert len(server.requests) == 1 and len(other.requests) == 1
    for line in ("sever 192.0.2.1", "server", "server 192.0.2.1 192.0.2.2", "prefer 5",
                 "versions 1,0", "lifetime soon"):
        with open(path, "w", encoding="ascii") as file:
            file.write("\n" + line + "\n")
        code, _, err = run("--config", path, "map", "tcp", "8080")
        assert code == 2 and path + ", line 2" in err, (line, err)
    code, _, err = run("--config", path + "x", "announce")
    assert code == 2 and "No such file" in err, err


def test_versions(state):
    natpmp_only = bytes([0, 0x81, 0, 1, 0, 0, 0, 9])
    code, _, err = pcpc(state, Server(reply=natpmp_only), "map", "tcp", "80", "--versions", "2")
    assert code == 1 and "not allowed" in err, err
    code, _, err = pcpc(state, Server(reply=natpmp_only), "announce", "--versions", "2,1")
    assert code == 1 and "not allowed" in err, err
    code, out, _ = pcpc(state, Fixed(natpmp), "--versions", "0", "map", "udp", "5000")
    assert code == 0 and out.startswith("external port"), out
    for wrong in ("1,0", "3", "0,2", "2,2", "2,", "", "2 0"):
        code, _, err = pcpc(state, Server(), "announce", "--versions", wrong)
        assert code == 2 and "--versions" in err, wrong


def test_falls_back_to_version_1(state):
    def v1(data):
        if data[0] == 2:
            return bytes([1, data[1] | 0x80, 0, 1]) + struct.pack(">2I", 600, 100) + bytes(12)
        if data[1] == 0:
            return struct.pack(">4B2I12x", 1, 0x80, 0, 0, 0, 100)
        return struct.pack(">4B2I12x", 1, data[1] | 0x80, 0, 0, 3600, 100) + data[24:30] + \
            struct.pack(">H", 40001) + POOL
    code, out, err = pcpc(state, Fixed(v1), "map", "tcp", "8080")
    assert code == 0 and out.startswith("203.0.113.5:40001 -> 127.0.0.1:8080"), out
    assert "version 1b from now on" in err, err
    code, out, _ = pcpc(state, Fixed(v1), "map", "tcp", "8080", "--json", "--fields")
    said = [json.loads(line) for line in out.splitlines()]
    assert [o["status"] for o in said] == ["dialect", "granted"], out
    assert said[1]["version"] == "1b" and "nonce" not in said[1], said[1]


class Fixed(Server):
    """Answers by a function of the request alone; None is silence."""

    def answer(self, data):
        return self.result(data) or b""


def test_peer_and_its_nonce(state):
    server = Server()
    code, out, _ = pcpc(state, server, "peer", "tcp", "50000", "198.51.100.7:443", "-l", "600")
    assert code == 0 and out.endswith(", with 198.51.100.7:443"), out
    assert server.requests[0][1] == 2 and len(server.requests[0]) == 80
    pcpc(state, server, "peer", "tcp", "50000", "198.51.100.7:443")
    pcpc(state, server, "peer", "tcp", "50000", "198.51.100.8:443")
    first, again, other = (r[24:36] for r in server.requests)
    assert first == again != other, "every remote host has its own nonce"


def test_options_of_the_answer(state):
    def answer(data):  # takes FILTER, not DESCRIPTION; grants 2 of 8 ports
        grant = Server.header(data, 0, 3600) + data[24:42] + struct.pack(">H", 40001) + POOL
        ports = struct.pack(">BBHHHB3x", 130, 0, 5, 2, 8080, 0)
        return grant + data[60:84] + ports
    words = ("map", "tcp", "8080", "--filter", "198.51.100.0/24:80", "--description", "web",
             "--port-set", "8")
    code, out, _ = pcpc(state, Fixed(answer), *words)
    assert code == 0 and "FILTER: 198.51.100.0/24, port 80" in out, out
    assert "PORT_SET: 2 ports from internal port 8080 on" in out, out
    assert "without DESCRIPTION" in out, out
    code, out, _ = pcpc(state, Fixed(answer), "--json", *words)
    said = json.loads(out)
    assert [o["name"] for o in said["options"]] == ["FILTER", "PORT_SET"], out
    assert said["left_out"] == ["DESCRIPTION"]


def test_third_parties_are_remembered_by_their_address(state):
    server = Server()
    server.answer = lambda data: (Server.header(data, 0, 3600) + data[24:42] +
                                  struct.pack(">H", 40001) + POOL + data[60:])
    code, out, _ = pcpc(state, server, "map", "tcp", "8080", "--third-party", "100.64.0.77")
    assert code == 0 and "-> 100.64.0.77:8080" in out, out
    code, _, _ = pcpc(state, server, "delete", "tcp", "8080")
    assert code == 2, "that one is not ours"


def test_fields(state):
    code, out, _ = pcpc(state, Server(), "--fields", "map", "tcp", "8080")
    assert code == 0 and "assigned external port     40001" in out, out
    code, out, _ = pcpc(state, Server(), "--fields", "--json", "map", "tcp", "8080")
    fields = json.loads(out)["datagrams"][1]["fields"]
    assert [f["value"] for f in fields if f["at"] == 42] == ["40001"], fields
    assert sum(f["octets"] for f in fields) == 60


def natpmp(data):
    if len(data) == 2:
        return bytes.fromhex("0080000000000064cb007105")
    return bytes([0, data[1] | 0x80, 0, 0, 0, 0, 0, 100]) + data[4:6] + data[6:12]


def test_natpmp(state):
    server = Fixed(natpmp)
    code, out, _ = pcpc(state, server, "address")
    assert code == 0 and out == "203.0.113.5, epoch 100", out
    code, out, _ = pcpc(state, server, "--json", "address")
    assert json.loads(out)["address"] == "203.0.113.5", out
    code, out, _ = pcpc(state, server, "--version", "nat-pmp", "map", "udp", "5000",
                        "--external-port", "6000")
    assert code == 0 and out.startswith("external port 6000 -> 127.0.0.1:5000 udp"), out
    code, out, _ = pcpc(state, server, "--version=nat-pmp", "delete", "udp", "5000")
    assert code == 0 and "is closed" in out, out
    refusal = Fixed(lambda data: bytes([0, data[1] | 0x80, 0, 2, 0, 0, 0, 9]) + bytes(8))
    code, _, err = pcpc(state, refusal, "-v", "nat-pmp", "map", "udp", "5000")
    assert code == 1 and "NOT_AUTHORIZED" in err and " 0 s" not in err, err


def test_version_1(state):
    def v1b(data):
        return struct.pack(">4B2I12x", 1, data[1] | 0x80, 0, 0, 3600, 100) + data[24:30] + \
            struct.pack(">H", 40001) + POOL
    code, out, _ = pcpc(state, Fixed(v1b), "-v", "1b", "map", "tcp", "8080")
    assert code == 0 and out.startswith("203.0.113.5:40001 -> 127.0.0.1:8080"), out

    def v1a(data):
        return struct.pack(">4B2I", 1, data[1] | 0x80, 0, 0, 3600, 100) + data[8:14] + \
            struct.pack(">H4B", 40001, 203, 0, 113, 5)
    code, out, _ = pcpc(state, Fixed(v1a), "-v", "1a", "map", "tcp", "8080")
    assert code == 0 and out.startswith("203.0.113.5:40001 -> 127.0.0.1:8080"), out


def entry(port, end, options=b""):
    data = bytes(12) + bytes([6, 0, 0, end]) + bytes(10) + b"\xff\xff" + bytes([127, 0, 0, 1]) + \
        POOL + struct.pack(">IHH", 600, port, 40000 + port) + options
    return struct.pack(">BBH", 131, 0, len(data)) + data


def test_get_goes_page_by_page(state):
    def answer(data):
        body = Server.header(data, 0, 0) + data[24:64]
        if data[64 + 4 + 52:64 + 4 + 54] == bytes(2):  # the locator's internal port
            return body + entry(1, 0, bytes.fromhex("80000003 77656200")) + entry(2, 0)
        return body + entry(2, 0) + entry(3, 1)
    server = Fixed(answer)
    code, out, _ = pcpc(state, server, "get", "--wanted", "128")
    assert code == 0, out
    assert out.splitlines() == [
        "203.0.113.5:40001 -> 127.0.0.1:1 tcp, 600 s left", "  DESCRIPTION: web",
        "203.0.113.5:40002 -> 127.0.0.1:2 tcp, 600 s left",
        "203.0.113.5:40003 -> 127.0.0.1:3 tcp, 600 s left"], out
    assert len(server.requests) == 2 and server.requests[0][-4] == 128
    code, out, _ = pcpc(state, server, "get", "--json")
    said = [json.loads(line) for line in out.splitlines()]
    assert [m["external"]["port"] for m in said] == [40001, 40002, 40003], out
    for always in (lambda d: Server.header(d, 0, 0) + d[24:64] + entry(2, 0),
                   lambda d: Server.header(d, 0, 0) + d[24:64]):
        code, _, _ = pcpc(state, Fixed(always), "get")
        assert code == 0, "a server that never ends is left in the end"
    code, _, err = pcpc(state, Fixed(lambda d: Server.header(d, 4, 0) + d[24:]), "get")
    assert code == 1 and "UNSUPP_OPCODE" in err, err


def test_watch_hears_announcements_and_updates(state):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as teller:
        teller.bind(("127.0.0.1", 0))
        name = "127.0.0.1:%d" % teller.getsockname()[1]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [PROGRAM, "-s", name, "--json", "watch", "--datagrams", "2", "-t", "10",
                   "--source", "127.0.0.1:%d" % port]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            wait_for_port(port)
            teller.sendto(bytes([2, 0x80]) + bytes(22), ("127.0.0.1", 5350))
            first = json.loads(process.stdout.readline())
            update = struct.pack(">4B2I12x", 2, 0x81, 0, 0, 600, 1) + bytes(12) + \
                bytes([6, 0, 0, 0, 31, 144, 31, 144]) + POOL
            teller.sendto(update, ("127.0.0.1", port))
            second = json.loads(process.stdout.readline())
            assert process.wait(timeout=10) == 0
    assert first["kind"] == "restart announcement" and first["ours"], first
    assert second["kind"] == "changed mapping" and second["port"] == "our", second
    values = {f["name"]: f["value"] for f in second["datagrams"][0]["fields"]}
    assert values["assigned external address"] == "203.0.113.5", values


def wait_for_port(port):
    wanted = ":%04X" % port
    for _ in range(500):
        with open("/proc/net/udp", encoding="ascii") as table:
            if any(line.split()[1].endswith(wanted) for line in table.readlines()[1:]):
                return
        time.sleep(0.01)
    raise AssertionError("it does not listen on port %d" % port)


def test_probe(state):
    server = Server(6)
    code, out, _ = pcpc(state, server, "probe", "map", "tcp", "80", "--option", "42:",
                        "--option-length", "42=64", "--expect", "MALFORMED_OPTION")
    assert code == 0 and server.requests[0][60:] == bytes([42, 0, 0, 64]), out
    assert "octets more than there are" in out and "MALFORMED_OPTION (6): " in out, out
    code, _, _ = pcpc(state, server, "probe", "map", "tcp", "80", "--expect", "SUCCESS")
    assert code == 4
    code, _, _ = pcpc(state, server, "probe", "map", "tcp", "80")
    assert code == 1, "without --expect an error is a refusal"
    code, _, _ = pcpc(state, server, "probe", "--raw", "02010000", "0000cafe", "--expect", "silence")
    assert code == 4 and server.requests[-1] == bytes.fromhex("020100000000cafe")
    code, _, _ = pcpc(state, Fixed(lambda d: None, deaf=9), "probe", "announce", "-t", "1",
                      "--expect", "silence")
    assert code == 0
    code, out, _ = pcpc(state, Server(deaf=9), "probe", "announce", "-t", "1")
    assert code == 3 and out.endswith("silence"), out


def test_probe_repeats_and_counts(state):
    server = Server()
    code, out, _ = pcpc(state, server, "probe", "announce", "--repeat", "20", "--count",
                        "--rate", "100/s")
    assert code == 0 and out == "20 sent, 20 answered, 20 SUCCESS", out
    code, out, _ = pcpc(state, server, "probe", "announce", "--repeat", "3", "--count", "--json")
    said = json.loads(out)
    assert said["answered"] == 3 and said["results"] == {"SUCCESS": 3}, out


def test_random_probes_are_the_same_again(state):
    runs = []
    for _ in range(2):
        server = Server(deaf=10 ** 6)
        pcpc(state, server, "probe", "map", "tcp", "80", "--random", "7", "--repeat", "30",
             "--rate", "1000", "-t", "1", "--count", "-n", "00112233445566778899aabb")
        runs.append(server.requests)
    assert runs[0] == runs[1] and len(set(runs[0])) > 25, len(set(runs[0]))


def test_retransmission(state):
    server = Server(deaf=1)
    code, _, _ = pcpc(state, server, "announce")
    assert code == 0 and len(server.requests) == 2 and server.requests[0] == server.requests[1]


def test_keep_gives_the_mapping_back(state):
    server = Server()
    command = [PROGRAM, "--state", state, "-s", server.name, "--keep", "map", "tcp", "8080"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert "40001" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=10)
    assert process.returncode == 0 and "is closed" in out, out
    assert server.requests[-1][4:8] == bytes(4)


def test_keep_says_what_it_does(state):
    """Renewal, another external address, a restart: then Ctrl-C."""
    server = Server(grant=8)
    server.epoch, server.pool = time.time() - 100, POOL

    def answer(data):
        life = struct.unpack(">I", data[4:8])[0]
        head = struct.pack(">4B2I12x", 2, 0x81, 0, 0, min(life, 8), int(time.time() - server.epoch))
        return head + data[24:42] + struct.pack(">H", 40001) + server.pool
    server.answer = answer
    command = [PROGRAM, "--state", state, "-s", server.name, "--keep", "map", "tcp", "8080"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline().startswith("203.0.113.5:40001 -> ")
        assert " renewed: 203.0.113.5:40001" in process.stdout.readline()
        server.pool = POOL[:15] + b"\x09"
        line = process.stdout.readline()
        assert "changed, it was 203.0.113.5:40001: 203.0.113.9:40001" in line, line
        server.epoch = time.time()
        lines = [process.stdout.readline() for _ in range(2)]
        assert "lost its state" in lines[0], lines
        assert " renewed: " in lines[1] or " open again: " in lines[1], lines
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=10)
    assert process.returncode == 0 and "is closed" in out, out


def test_keep_can_leave_it_open(state):
    server = Server()
    command = [PROGRAM, "--state", state, "-s", server.name, "-k", "--leave-open", "map", "tcp",
               "8080", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert json.loads(process.stdout.readline())["status"] == "granted"
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=10)
    said = json.loads(out)
    assert process.returncode == 0 and said["status"] == "left-open", out
    assert 3590 < said["lifetime"] <= 3600 and len(server.requests) == 1, said


def test_interrupted_before_an_answer(state):
    server = Server(deaf=99)
    command = [PROGRAM, "--state", state, "-s", server.name, "map", "tcp", "8080"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while not server.requests:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 130


def test_errors_are_objects_too(state):
    for words, code in ((("map", "tcp", "0", "--json"), 2), (("-j", "--nonsense"), 2),
                        (("--nonsense", "announce", "-j"), 2), (("-j", "renew", "tcp", "9"), 2),
                        (("-j", "--config", "/nonexistent/file", "announce"), 2),
                        (("-j", "map", "tcp", "\udcff"), 2)):
        found, out, err = pcpc(state, Server(), *words)
        said = json.loads(err)
        assert found == said["exit"] == code and said["status"] == "error", (words, err)
        assert said["error"] and not out, err
    for server, code in ((Server(2), 1), (Server(8), 5), (Server(deaf=99), 3)):
        found, out, err = pcpc(state, server, "-j", "-t", "1", "map", "tcp", "80")
        assert found == code == json.loads(err)["exit"], err
        assert json.loads(out)["found"] == "command-line", out


def test_wrong_usage(state):
    server = Server()
    for words in ([], ["open"], ["map", "tcp"], ["map", "tcp", "0"], ["map", "tcp", "65536"],
                  ["map", "icmpx", "1"], ["map", "tcp", "80", "-l", "0"], ["announce", "tcp"],
                  ["map", "tcp", "80", "-p"], ["delete", "tcp", "80", "-k"], ["--nonsense"],
                  ["map", "tcp", "80", "-n", "12"], ["renew", "tcp", "99"],
                  ["map", "tcp", "80", "--set", "0=00"], ["-v", "nat-pmp", "peer", "tcp", "1",
                  "1.2.3.4:5"], ["probe", "announce", "--truncate", "99"]):
        code, _, err = pcpc(state, server, *words)
        assert code == 2 and err, words
    assert not server.requests


def main():
    tests = [(name, test) for name, test in globals().items() if name.startswith("test_")]
    for name, test in tests:
        with tempfile.TemporaryDirectory() as folder:
            test(os.path.join(folder, "state"))
        print("passed", name)


main()
