#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A PCP server of an IPv6 router, as a firewall has one: grants each port at the asking host's own
address, and prints who asked and whom the request's header names.

usage: pcp6.py LINK_LOCAL_ADDRESS INTERFACE
"""
import ipaddress
import socket
import struct
import sys


def answer(data):
    lifetime = struct.unpack(">I", data[4:8])[0] if data[1] else 0
    head = struct.pack(">4B2I12x", 2, data[1] | 0x80, 0, 0, lifetime, 100)
    if data[1] != 1:
        return head
    return head + data[24:42] + data[40:42] + data[8:24] + data[60:]


def main():
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as server:
        server.bind((sys.argv[1], 5351, 0, socket.if_nametoindex(sys.argv[2])))
        while True:
            data, client = server.recvfrom(2000)
            if len(data) < 24 or data[0] != 2:
                continue
            print(client[0].split("%")[0], ipaddress.IPv6Address(data[8:24]), flush=True)
            server.sendto(answer(data), client)


main()
