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

PROGRAM = sys.argv[1]
POOL = bytes(10) + b"\xff\xff" + bytes([203, 0, 113, 5])


class Server:
    """Grants 203.0.113.5:40001 for what is asked; `result`, `grant` and `reply` bend that."""

    def __init__(self, result=0, grant=None, reply=None, deaf=0):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.name = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.result, self.grant, self.reply, self.deaf = result, grant, reply, deaf
        self.requests = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            data, client = self.socket.recvfrom(2000)
            self.requests.append(data)
            if len(self.requests) > self.deaf:
                self.socket.sendto(self.reply or self.answer(data), client)

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


def pcpc(state, server, *words):
    command = [PROGRAM, "--state", state, "--server", getattr(server, "name", server), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    return done.returncode, done.stdout.strip(), done.stderr.strip()


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
        assert code == 1 and "(%d)" % result in err and "not know" not in err, err


def test_prefer_failure(state):
    server = Server()
    code, _, _ = pcpc(state, server, "map", "tcp", "443", "--external", "203.0.113.5:40001", "-p")
    assert code == 0 and server.requests[0][60:] == bytes([2, 0, 0, 0])
    code, _, _ = pcpc(state, Server(), "map", "tcp", "444", "--external-port", "444", "-p", "-t1")
    assert code == 3, "another port than the wished one is no success"


def test_other_versions(state):
    code, _, err = pcpc(state, Server(reply=bytes([0, 0x80, 0, 1, 0, 0, 0, 9])), "map", "tcp", "80")
    assert code == 1 and "NAT-PMP" in err, err
    code, _, err = pcpc(state, Server(reply=bytes([1, 0x81, 0, 1]) + bytes(20)), "map", "tcp", "80")
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


def test_wrong_usage(state):
    server = Server()
    for words in ([], ["open"], ["map", "tcp"], ["map", "tcp", "0"], ["map", "tcp", "65536"],
                  ["map", "icmpx", "1"], ["map", "tcp", "80", "-l", "0"], ["announce", "tcp"],
                  ["map", "tcp", "80", "-p"], ["delete", "tcp", "80", "-k"], ["--nonsense"],
                  ["map", "tcp", "80", "-n", "12"], ["renew", "tcp", "99"]):
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
