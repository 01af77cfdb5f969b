#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A gateway that knows NAT-PMP (RFC 6886) and nothing newer: it grants what is asked, and tells every
later version what RFC 6886 s.3.5 wants it told.

usage: natpmp.py LISTEN_ADDRESS EXTERNAL_ADDRESS
"""
import socket
import struct
import sys
import time

START = time.monotonic()


def answer(data, external):
    epoch = int(time.monotonic() - START)
    if data[0] != 0:
        return struct.pack(">BBHI", 0, data[1] | 0x80, 1, epoch)
    if data[1] == 0:
        return struct.pack(">BBHI", 0, 0x80, 0, epoch) + external
    if data[1] > 2 or len(data) < 12:
        return struct.pack(">BBHI", 0, data[1] | 0x80, 5, epoch)
    internal, wished, lifetime = struct.unpack(">HHI", data[4:12])
    port = (wished or internal) if lifetime else 0
    return struct.pack(">BBHIHHI", 0, data[1] | 0x80, 0, epoch, internal, port, lifetime)


def main():
    external = socket.inet_aton(sys.argv[2])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((sys.argv[1], 5351))
        while True:
            data, client = server.recvfrom(2000)
            if len(data) >= 2 and data[1] < 0x80:
                server.sendto(answer(data, external), client)


main()
