#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A PCP server as a firewall has one: grants each port at the asking host's own address, and prints
who asked, whom the request's header names, the opcode, the port and the nonce.
SIGUSR1: it loses all it knew, and says so to all hosts of the link (RFC 6887 s.14.1).

usage: pcp.py ADDRESS INTERFACE
"""
import ipaddress
import signal
import socket
import struct
import sys
import time

SERVER, CLIENT = 5351, 5350
born = time.monotonic() - 1000


def epoch():
    return int(time.monotonic() - born)


def answer(data):
    lifetime = struct.unpack(">I", data[4:8])[0] if data[1] else 0
    head = struct.pack(">4B2I12x", 2, data[1] | 0x80, 0, 0, lifetime, epoch())
    if data[1] != 1:
        return head
    return head + data[24:42] + data[40:42] + data[8:24] + data[60:]


def told(data, client):
    words = [client[0].split("%")[0], str(ipaddress.IPv6Address(data[8:24])), str(data[1])]
    if data[1] == 1 and len(data) >= 60:
        words += [str(struct.unpack(">H", data[40:42])[0]), data[24:36].hex()]
    return " ".join(words)


def open_at(address, interface):
    index = socket.if_nametoindex(interface)
    if ":" not in address:
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind((address, SERVER))
        return server, ("224.0.0.1", CLIENT)
    server = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
    server.bind((address, SERVER, 0, index))
    return server, ("ff02::1", CLIENT, 0, index)


def main():
    server, everybody = open_at(*sys.argv[1:3])

    def forget(_signal, _frame):
        global born
        born = time.monotonic()
        server.sendto(struct.pack(">4B2I12x", 2, 0x80, 0, 0, 0, 0), everybody)

    signal.signal(signal.SIGUSR1, forget)
    while True:
        data, client = server.recvfrom(2000)
        if len(data) < 24 or data[0] != 2:
            continue
        print(told(data, client), flush=True)
        server.sendto(answer(data), client)


main()
