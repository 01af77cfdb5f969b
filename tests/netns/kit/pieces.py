#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""pieces.py - IPv4 fragments made by hand, from a host on the Internet.

  pieces.py HOW ADDRESS PORT        one UDP datagram to an echo server, in pieces: in-order,
                                    reversed, shuffled, doubled or overlap; prints
                                    "answered" or "silence"
  pieces.py tiny ADDRESS PORT       a TCP SYN cut behind its ports (RFC 1858 s.3.1)
  pieces.py flood ADDRESS PORT N    N early pieces of datagrams whose first never comes
"""
import os
import random
import socket
import struct
import sys

SOURCE = "198.51.100.1"
TEXT = bytes(random.Random(1).choices(range(97, 123), k=3000))


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def datagram(sport, address, port, text):
    head = struct.pack("!4H", sport, port, 8 + len(text), 0)
    pseudo = (socket.inet_aton(SOURCE) + socket.inet_aton(address)
              + struct.pack("!2H", 17, 8 + len(text)))
    return struct.pack("!4H", sport, port, 8 + len(text), checksum(pseudo + head + text) or 0xffff) + text


def piece(address, ident, payload, first, end, protocol=17):
    more = 0x2000 if end < len(payload) else 0
    body = payload[first:end]
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), ident, more | first // 8, 64, protocol, 0,
                       socket.inet_aton(SOURCE), socket.inet_aton(address))
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


def cuts(how, size):
    """First and end of each piece, in the order of sending."""
    spans = [(at, min(at + 600, size)) for at in range(0, size, 600)]
    if how == "reversed":
        spans.reverse()
    elif how == "shuffled":
        spans = spans[2:] + spans[1:2] + spans[:1]
    elif how == "doubled":
        spans = [s for span in spans for s in (span, span)]
    elif how == "overlap":
        spans[1] = (spans[1][0] - 64, spans[1][1])
    return spans


def main():
    how, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    if how == "flood":
        rng = random.Random(2)
        for n in range(int(sys.argv[4])):
            raw.sendto(piece(address, rng.randrange(65536), bytes(4000), 1600, 2200), (address, 0))
        print(n + 1)
        return
    if how == "tiny":
        syn = struct.pack("!HHIIBBHHH", 4000, port, 1, 0, 0x50, 2, 1024, 0, 0)
        for first, end in ((0, 8), (8, 20)):
            raw.sendto(piece(address, 77, syn, first, end, 6), (address, 0))
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((SOURCE, 0))
        s.settimeout(3)
        sport = s.getsockname()[1]
        whole = datagram(sport, address, port, TEXT)
        ident = struct.unpack("!H", os.urandom(2))[0] | 1
        for first, end in cuts(how, len(whole)):
            raw.sendto(piece(address, ident, whole, first, end), (address, 0))
        try:
            print("answered" if s.recv(65536).startswith(TEXT) else "another text")
        except TimeoutError:
            print("silence")


main()
