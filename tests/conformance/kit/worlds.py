# SPDX-License-Identifier: Apache-2.0
"""Where rules run: on our own server in this process's pocket, or over the network on any server.

Both give: names of hosts, send(), receive(), wait(), and what an Epoch must read.
"""
import ipaddress
import os
import select
import socket
import subprocess
import tempfile
import time
import zlib

from . import packets
from .outside import NotPossible, Outside

PCP_PORT = 5351


class Skip(Exception):
    """The rule cannot be shown here."""


class NotOffered(Exception):
    """The server says that it does not have what the rule is about."""


class Broken(Exception):
    """The server died, or says nonsense to the tool itself."""


class Datagram:
    def __init__(self, source, destination, payload):
        self.source, self.destination, self.payload = source, destination, payload


# ---- in-process ------------------------------------------------------------------------------

GROUP = "nat-groups.residential."
SHORT = {"pcp.": GROUP + "pcp.", "group.": GROUP}
BASE = {
    "workers": "2",
    "ports.inside.device": '"net_null0"',
    "ports.inside.addresses": "[100.64.0.1/10]",
    "ports.outside.device": '"net_null1"',
    "ports.outside.addresses": "[198.51.100.2/24]",
    "ports.outside.gateway": "198.51.100.1",
    "limits.mappings": "4000",
    "limits.leases": "400",
    "limits.subscribers": "100",
    "limits.external-addresses": "4",
    GROUP + "subscribers": "[100.64.0.0/16]",
    GROUP + "external-address-pool": "[203.0.113.5, 203.0.113.6]",
    GROUP + "port-range": "[256, 65535]",
    GROUP + "port-set-size": "256",
    GROUP + "pcp.listen": "[gateway]",
}
HOSTS = {
    # near and near2 live on the client's worker; far, c and portal on the other.
    "client": "100.64.0.10", "near": "100.64.0.20", "near2": "100.64.0.30", "far": "100.64.0.21",
    "c": "100.64.0.77", "neighbour": "100.64.0.20", "portal": "100.100.0.21", "peer": "198.51.100.7", "peer2": "198.51.100.8",
    "peer3": "203.0.113.99", "server": "100.64.0.1",
}


def yaml_of(leaves):
    """The YAML of {dotted path: flow value}."""
    tree = {}
    for path, value in leaves.items():
        *above, last = path.split(".")
        node = tree
        for part in above:
            node = node.setdefault(part, {})
        node[last] = value
    return yaml_lines(tree, "")


def yaml_lines(tree, indent):
    text = ""
    for key, value in tree.items():
        if isinstance(value, dict):
            text += f"{indent}{key}:\n" + yaml_lines(value, indent + "  ")
        else:
            text += f"{indent}{key}: {value}\n"
    return text


def leaves_with(*changes):
    leaves = dict(BASE)
    for change in changes:
        for path, value in change.items():
            for short, whole in SHORT.items():
                if path.startswith(short):
                    path = whole + path[len(short):]
            for old in [leaf for leaf in leaves if leaf.startswith(path + ".")]:
                del leaves[old]
            leaves[path] = value
    return leaves


class InProcess:
    """Our shards behind tests/conformance/server. Every rule has a world of its own."""
    strict, family, first_port, salt = True, 4, 8080, ""
    title = "Postern, in-process"

    def __init__(self, program):
        self.program, self.child, self.errors = program, None, tempfile.TemporaryFile()
        self.lines = b""

    def addresses(self):
        return HOSTS

    def open(self, rule):
        self.queue, self.dropped, self.changes = [], None, dict(rule.config)
        self.server = (HOSTS["server"], PCP_PORT)
        self.load("config", {})
        self.ask("time 200000")  # until it has said all that it says at a start
        self.queue.clear()
        self.set_epoch(100)

    def set_epoch(self, epoch):
        self.epoch, self.passed = epoch, 0.0
        self.ask(f"epoch {epoch}")

    def load(self, verb, changes):
        self.changes.update(changes)
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(yaml_of(leaves_with(self.changes)))
            file.flush()
            self.ask(f"{verb} {file.name}")

    def close(self):
        pass

    def start(self):
        self.child = subprocess.Popen([self.program], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, stderr=self.errors)
        self.lines = b""

    def end(self):
        """Lets the server go; what it has to say about that (a sanitizer, say), or nothing."""
        if self.child is None:
            return ""
        self.child.stdin.close()
        status = self.child.wait()
        self.child.stdout.close()
        self.child = None
        return f"the server ended with {status}\n{self.last_words()}" if status else ""

    def last_words(self):
        self.errors.seek(0)
        return self.errors.read()[-4000:].decode(errors="replace")

    def readline(self):
        while b"\n" not in self.lines:
            ready, _, _ = select.select([self.child.stdout], [], [], 60)
            got = os.read(self.child.stdout.fileno(), 1 << 16) if ready else b""
            if not got:
                self.child.kill()
                self.end()
                raise Broken("the server died or hangs\n" + self.last_words())
            self.lines += got
        line, _, self.lines = self.lines.partition(b"\n")
        return line.decode()

    def ask(self, command):
        """Sends one line; what packets come out are queued. Returns the value asked for."""
        if self.child is None:
            self.start()
        try:
            self.child.stdin.write(command.encode() + b"\n")
            self.child.stdin.flush()
        except BrokenPipeError:
            pass
        value = None
        while (line := self.readline()) != "end":
            word, _, rest = line.partition(" ")
            if word == "out":
                side, _, octets = rest.partition(" ")
                self.queue.append((side, bytes.fromhex(octets)))
            elif word == "drop":
                self.dropped = rest
            elif word == "value":
                value = rest
            else:
                raise Broken(line)
        return value

    def inject(self, side, octets, _ports=()):
        self.dropped = None
        self.ask(f"packet {side} {octets.hex()}")

    def send(self, host, port, to, payload):
        self.inject("inside", packets.udp((host, port), to, payload))

    def take(self):
        """The next packet that came out: (side, packet), or None."""
        if not self.queue:
            return None
        side, octets = self.queue.pop(0)
        try:
            return side, packets.Packet(octets)
        except packets.BadPacket as error:
            raise Broken(f"a bad packet came out: {error}: {octets.hex()}") from None

    def receive(self, _resend):
        item = self.take()
        if item is None:
            return None
        side, packet = item
        if side != "inside" or packet.protocol != packets.UDP:
            raise Broken(f"no datagram to a client, but out to the {side}: {packet.text()}")
        return Datagram(packet.source, packet.destination, packet.payload)

    def receive_none(self):
        return self.receive(None)

    def wait(self, seconds):
        self.ask(f"time {round(seconds * 1000)}")
        self.passed += seconds

    def epoch_is_wrong(self, epoch):
        right = self.epoch + int(self.passed)
        return "" if epoch == right else f"Epoch {epoch} came, {right} is right"

    def left_over(self):
        item = self.take()
        return f"nobody expected, to the {item[0]}: {item[1].text()}" if item else ""


# ---- over the network ------------------------------------------------------------------------

class Network:
    """A client of any server: one UDP socket for each source port, retransmission, real time."""
    strict = False

    def __init__(self, host, port, options):
        info = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        self.socket_family, self.server = info[0], info[4][:2]
        self.family = 4 if self.socket_family == socket.AF_INET else 6
        self.source, self.timeout, self.tries = options.source, options.timeout, options.tries
        self.patient = options.patient
        self.outside = Outside(options.outside) if options.outside else None
        self.peer = options.peer or ("198.51.100.7" if self.family == 4 else "2001:db8:7::7")
        self.title = f"{host}:{port}"
        self.sockets, self.epochs, self.anomalies = {}, None, []
        self.salt = options.seed or os.urandom(8).hex()
        self.first_port = 20000 + zlib.crc32(self.salt.encode()) % 8192
        self.client = self.socket_of(None).getsockname()[0]
        self.close()
        self.features = {}

    def addresses(self):
        client = ipaddress.ip_address(self.client)
        neighbour = type(client)(int(client) ^ 3)
        peer2 = ipaddress.ip_address(self.peer) + 1
        return {"client": self.client, "neighbour": str(neighbour), "peer": self.peer,
                "peer2": str(peer2), "peer3": "203.0.113.99", "server": self.server[0]}

    def open(self, _rule):
        self.first_port = 20000 + (self.first_port - 20000 + 160) % 40000

    def close(self):
        for one in self.sockets.values():
            one.close()
        self.sockets = {}
        if self.outside:
            self.outside.close()

    def end(self):
        self.close()
        return ""

    def socket_of(self, port):
        if port not in self.sockets:
            one = socket.socket(self.socket_family, socket.SOCK_DGRAM)
            if port is not None or self.source:
                any_address = "0.0.0.0" if self.family == 4 else "::"
                one.bind((self.source or any_address, port or 0))
            one.connect(self.server)
            self.sockets[port] = one
        return self.sockets[port]

    def send(self, _host, port, _to, payload):
        self.last = port
        one = self.socket_of(port)
        one.setblocking(False)
        try:
            while True:
                one.recv(65536)
        except OSError:
            pass
        one.send(payload)

    def listen(self, timeout):
        one = self.socket_of(self.last)
        one.settimeout(timeout)
        try:
            payload = one.recv(65536)
        except (TimeoutError, ConnectionRefusedError):
            return None
        here = one.getsockname()[:2]
        return Datagram(self.server, here, payload)

    def receive(self, resend):
        for _ in range(self.tries):
            got = self.listen(self.timeout)
            if got is not None or resend is None:
                return got
            self.socket_of(self.last).send(resend)
        return self.listen(self.timeout)

    def receive_none(self):
        return self.listen(self.timeout)

    def wait(self, seconds):
        if not self.patient:
            raise Skip(f"takes {seconds:g} s of real time; --patient waits")
        time.sleep(seconds)

    def inject(self, side, octets, ports):
        self.dropped = "nobody"
        try:
            self.outside.send(side, octets, self.client, ports)
        except NotPossible as why:
            raise Skip(f"needs {why}") from None

    def take(self):
        return self.outside.take()

    def epoch_is_wrong(self, epoch):
        """RFC 6887 s.8.5, as a client does it; one step more for what the network delays."""
        now, before = int(time.monotonic()), self.epochs
        self.epochs = (now, epoch)
        if before is None:
            return ""
        client, server = now - before[0], max(0, epoch - before[1])
        if epoch + 1 < before[1] or client + 2 < server - server // 16 or \
                server + 2 < client - client // 16:
            return f"Epoch {epoch} came {client} s after {before[1]}"
        return ""

    def left_over(self):
        return ""
