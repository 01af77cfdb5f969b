#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""flood.py - many datagrams from sources that do not exist, as fast as one core makes them.

  flood.py sources COUNT   each from another inside address, towards a host on the Internet
  flood.py pcp COUNT       random octets to the PCP server, half of them behind a good header
  flood.py syns COUNT      TCP SYNs of one inside host to as many ports of the Internet
  flood.py scan COUNT      from the Internet: TCP SYNs to all ports of the pool, from many sources
  flood.py maps COUNT      PCP requests for COUNT mappings: 16 UDP and 16 TCP ports a subscriber

Runs on eth0 of a home (scan: of a host outside) and prints how many frames the interface took.
"""
import random
import socket
import struct
import subprocess
import sys

GATEWAY = "100.64.0.1"
INSIDE = struct.unpack("!I", socket.inet_aton("100.64.0.0"))[0]


def gateway_mac(gateway):
    subprocess.run(["ping", "-c1", "-W2", gateway], stdout=subprocess.DEVNULL, check=False)
    with open("/proc/net/arp", encoding="ascii") as table:
        for line in table:
            if line.startswith(gateway + " "):
                return bytes.fromhex(line.split()[3].replace(":", ""))
    sys.exit("the gateway does not answer ARP")


class Frames:
    """UDP datagrams from any source; the IPv4 checksum is finished from a sum made once."""

    def __init__(self, target, port):
        self.ethernet = gateway_mac(GATEWAY) + b"\x02\0\0\0\0\x99\x08\0"
        self.target = socket.inet_aton(target)
        self.port = port
        words = struct.unpack("!2H", self.target)
        self.sum = 0x4500 + 0x4000 + (64 << 8 | 17) + sum(words)

    def make(self, source, source_port, payload):
        length = 28 + len(payload)
        total = self.sum + length + (source >> 16) + (source & 0xffff)
        total = (total & 0xffff) + (total >> 16)
        total = (total & 0xffff) + (total >> 16)
        return (self.ethernet
                + struct.pack("!BBHHHBBHI", 0x45, 0, length, 0, 0x4000, 64, 17, ~total & 0xffff, source)
                + self.target + struct.pack("!4H", source_port, self.port, length - 20, 0) + payload)


def sources(count, rng):
    frames = Frames("192.0.2.80", 9)
    for _ in range(count):
        yield frames.make(INSIDE + rng.randrange(1 << 8, 1 << 22), rng.randrange(1024, 65536), b"flood")


def pcp(count, rng):
    frames = Frames(GATEWAY, 5351)
    for n in range(count):
        source = INSIDE + rng.randrange(1 << 8, 1 << 22)
        body = rng.randbytes(rng.randrange(0, 200))
        if n % 2:
            body = (struct.pack("!BBHI", 2, rng.randrange(4), 0, rng.randrange(90000))
                    + bytes(10) + b"\xff\xff" + struct.pack("!I", source) + body[:len(body) & ~3])
        yield frames.make(source, rng.randrange(1024, 65536), body)


def maps(count, _):
    """The same requests each time it runs, so that a second run asks for what the first one lost."""
    frames = Frames(GATEWAY, 5351)
    for n in range(count):
        source = INSIDE + 0x10000 + n // 32
        protocol, port = (17, 6)[n % 2], 2000 + n % 32 // 2
        yield frames.make(source, 40000, struct.pack("!BBHI10xHI", 2, 1, 0, 3600, 0xffff, source)
                          + struct.pack("!4xQB3xHH10xHI", n, protocol, port, 0, 0xffff, 0))


def tcp_syn(ethernet, source, source_port, target, port):
    def folded(data):
        total = sum(struct.unpack(f"!{len(data) // 2}H", data))
        total = (total & 0xffff) + (total >> 16)
        return ~((total & 0xffff) + (total >> 16)) & 0xffff

    head = struct.pack("!BBHHHBBHII", 0x45, 0, 40, 0, 0x4000, 64, 6, 0, source, target)
    tcp = struct.pack("!HHIIBBHHH", source_port, port, 1, 0, 0x50, 2, 8192, 0, 0)
    pseudo = struct.pack("!IIHH", source, target, 6, 20)
    return (ethernet + head[:10] + struct.pack("!H", folded(head)) + head[12:]
            + tcp[:16] + struct.pack("!H", folded(pseudo + tcp)) + tcp[18:])


def syns(count, rng):
    ethernet = gateway_mac(GATEWAY) + b"\x02\0\0\0\0\x99\x08\0"
    for n in range(count):
        yield tcp_syn(ethernet, INSIDE + 77, 1024 + n % 60000, 0xc0000250, rng.randrange(1, 65536))


def scan(count, rng):
    ethernet = gateway_mac("198.51.100.2") + b"\x02\0\0\0\0\x98\x08\0"
    for n in range(count):
        yield tcp_syn(ethernet, 0xc6120000 + rng.randrange(1, 65536), 40000,
                      0xcb007100 + n % 8, n // 8 % 65536)


def main():
    kind = {"syns": syns, "scan": scan, "sources": sources, "pcp": pcp, "maps": maps}[sys.argv[1]]
    count = int(sys.argv[2])
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    s.bind(("eth0", 0))
    sent = 0
    for frame in kind(count, random.Random(6887)):
        try:
            s.send(frame)
            sent += 1
        except OSError:
            pass  # The queue of the interface is full, as in any flood.
    print(sent)


main()
