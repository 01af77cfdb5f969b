#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""lacp.py INTERFACE... - the other end of a link aggregation (IEEE 802.1AX s.6.4): sends an LACPDU a
second on each interface, and prints "INTERFACE distributes" and "INTERFACE does not" as the partner
changes his mind. A line "INTERFACE leaves" on standard input takes the link out of the aggregation."""
import select
import socket
import struct
import sys
import time

SLOW = 0x8809
GROUP = bytes.fromhex("0180c2000002")
SYSTEM = bytes.fromhex("0200000000aa")
DISTRIBUTES = 0x08 | 0x10 | 0x20  # synchronization, collecting, distributing
OURS = 0x01 | 0x02 | 0x04 | DISTRIBUTES  # active, short timeout, aggregation


class Link:
    def __init__(self, name, number):
        self.name, self.number = name, number
        self.partner, self.state, self.ours = bytes(15), None, OURS
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(SLOW))
        self.socket.bind((name, SLOW))

    def send(self):
        ours = struct.pack("!H6sHHHB3x", 0x8000, SYSTEM, 1, 0x8000, self.number, self.ours)
        self.socket.send(GROUP + SYSTEM + struct.pack("!HBB", SLOW, 1, 1)
                         + bytes([1, 20]) + ours + bytes([2, 20]) + self.partner + bytes(3)
                         + bytes([3, 16]) + bytes(14) + bytes(52))

    def hear(self):
        frame, address = self.socket.recvfrom(2048)
        if address[2] == socket.PACKET_OUTGOING or frame[14:16] != b"\x01\x01":
            return
        self.partner = frame[18:33]
        state = self.partner[14] & DISTRIBUTES == DISTRIBUTES
        if state != self.state:
            self.state = state
            print(self.name, "distributes" if state else "does not", flush=True)


links = [Link(name, i + 1) for i, name in enumerate(sys.argv[1:])]
sources = [link.socket for link in links] + [sys.stdin]
due = time.monotonic()
while True:
    ready, _, _ = select.select(sources, [], [], max(0, due - time.monotonic()))
    for link in links:
        if link.socket in ready:
            link.hear()
    if sys.stdin in ready:
        words = sys.stdin.readline().split()
        if not words:
            sources.remove(sys.stdin)
        for link in links:
            if words == [link.name, "leaves"]:
                link.ours = OURS & ~DISTRIBUTES
    if time.monotonic() >= due:
        due += 1
        for link in links:
            link.send()
