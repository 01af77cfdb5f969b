#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""streams.py - numbered records over UDP and over one TCP connection, each of which is answered with
its number and the endpoint that the server saw.

  serve ADDRESS PORT          answers; ended by SIGTERM, tells how many datagrams came
  run ADDRESS PORT [SOURCE]   100 datagrams and 100 TCP records a second, until SIGTERM; a line of
                              JSON whenever a stream is seen as another endpoint, and one at its end
"""
import json
import select
import signal
import socket
import struct
import sys
import time

RECORD = struct.Struct("!Q4sH2x")  # number, and in an answer whom the server saw
PERIOD = 0.01
LAST_ANSWERS = 1.0  # seconds to wait for them


def say(**facts):
    print(json.dumps(facts), flush=True)


def answer(record, peer):
    return RECORD.pack(RECORD.unpack(record)[0], socket.inet_aton(peer[0]), peer[1])


class Ended:
    """Whether somebody asked this program to end."""

    def __init__(self):
        self.now = False
        signal.signal(signal.SIGTERM, self.end)

    def end(self, *_):
        self.now = True


# ---- the server ------------------------------------------------------------------------------

class Connection:
    """One TCP connection; it is read in whole records."""

    def __init__(self, listener):
        self.socket, self.peer = listener.accept()
        self.rest = b""

    def fileno(self):
        return self.socket.fileno()

    def serve(self):
        """False: it is over."""
        try:
            got = self.socket.recv(65536)
            data = self.rest + got
            whole = len(data) - len(data) % RECORD.size
            self.rest = data[whole:]
            self.socket.sendall(b"".join(answer(data[at:at + RECORD.size], self.peer)
                                         for at in range(0, whole, RECORD.size)))
        except OSError:
            return False
        return got != b""


def serve(address, port):
    ended, datagrams = Ended(), 0
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((address, port))
    listener = socket.create_server((address, port))
    connections = []
    while not ended.now:
        for ready in select.select([udp, listener] + connections, [], [], 0.1)[0]:
            if ready is udp:
                data, peer = udp.recvfrom(2048)
                datagrams += 1
                udp.sendto(answer(data, peer), peer)
            elif ready is listener:
                connections.append(Connection(listener))
            elif not ready.serve():
                connections.remove(ready)
    say(datagrams=datagrams)


# ---- a client --------------------------------------------------------------------------------

class Stream:
    """What was sent, and what came back."""

    def __init__(self, protocol, server, source):
        kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
        self.protocol, self.sent, self.answered, self.seen = protocol, 0, set(), None
        self.rest, self.error = b"", None
        self.socket = socket.socket(socket.AF_INET, kind)
        self.socket.bind((source, 0))
        self.socket.settimeout(5)
        self.socket.connect(server)
        self.socket.setblocking(False)

    def fileno(self):
        return self.socket.fileno()

    def send(self):
        if self.error:
            return
        try:
            self.socket.send(RECORD.pack(self.sent, bytes(4), 0))
            self.sent += 1
        except BlockingIOError:
            pass  # A connection that stands still has a full buffer.
        except OSError as e:
            self.fail(e.strerror)

    def hear(self):
        try:
            got = self.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError as e:
            self.fail(e.strerror)
            return
        if not got:
            self.fail("closed")
        data = self.rest + got
        whole = len(data) - len(data) % RECORD.size
        self.rest = data[whole:]
        for at in range(0, whole, RECORD.size):
            self.take(*RECORD.unpack(data[at:at + RECORD.size]))

    def take(self, number, address, port):
        seen = f"{socket.inet_ntoa(address)}:{port}"
        self.answered.add(number)
        if seen != self.seen:
            self.seen = seen
            say(protocol=self.protocol, seen=seen, record=number)

    def fail(self, error):
        if self.protocol == "tcp":  # A refused datagram is a lost one, no more.
            self.error = error

    def tell(self):
        lost = sorted(set(range(self.sent)) - self.answered)
        say(protocol=self.protocol, sent=self.sent, answered=len(self.answered), lost=lost[:10],
            error=self.error)


def hear_until(streams, when):
    while (left := when - time.monotonic()) > 0:
        for stream in select.select([s for s in streams if not s.error], [], [], left)[0]:
            stream.hear()


def run(address, port, source=""):
    ended = Ended()
    streams = [Stream(protocol, (address, port), source) for protocol in ("udp", "tcp")]
    due = time.monotonic()
    while not ended.now:
        for stream in streams:
            stream.send()
        due += PERIOD
        hear_until(streams, due)
    hear_until(streams, time.monotonic() + LAST_ANSWERS)
    for stream in streams:
        stream.tell()


what = {"serve": serve, "run": run}.get(sys.argv[1] if len(sys.argv) > 3 else "")
if not what:
    sys.exit(__doc__)
what(sys.argv[2], int(sys.argv[3]), *sys.argv[4:])
