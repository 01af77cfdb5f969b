#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""crowd.py PORTS ADDRESS PORT [PREFIX FIRST LAST] - many hosts, each from UDP ports 5000 and up: so many
(PORTS is a number), four, or a fifth; prints how many were answered by the echo server, and how many
were refused by ICMP. The hosts are PREFIX.FIRST to PREFIX.LAST, or 100.64.2.1 to 100.64.2.200."""
import errno
import select
import socket
import sys
import time

IP_RECVERR = 11  # Linux

how, server = sys.argv[1], (sys.argv[2], int(sys.argv[3]))
ports = [5004] if how == "fifth" else range(5000, 5000 + int({"four": "4"}.get(how, how)))
prefix, first, last = sys.argv[4:] if len(sys.argv) > 4 else ("100.64.2", "1", "200")
sockets = []
for host in range(int(first), int(last) + 1):
    for port in ports:
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)  # soft errors, too
        s.bind((f"{prefix}.{host}", port))
        s.connect(server)
        sockets.append(s)

answered, refused, waiting = 0, 0, list(sockets)
for _ in range(3):  # A datagram may be lost on a busy machine; the second time it is not new.
    for s in waiting:
        try:
            s.send(b"hello")
        except OSError:
            pass
        time.sleep(0.0005)
    end = time.monotonic() + 3
    while waiting and time.monotonic() < end:
        for s in select.select(waiting, [], [], 0.2)[0]:
            try:
                s.recv(2048)
                answered += 1
            except OSError as e:
                if e.errno != errno.EHOSTUNREACH:
                    continue
                refused += 1
            waiting.remove(s)
    if not waiting:
        break
print(f"{answered} answered, {refused} refused")
