#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""udp.py - UDP programs of ordinary hosts, for the network stories.

  echo ADDRESS PORT                        answers every datagram with itself and its sender's name
  ask ADDRESS PORT TEXT [-s SOURCE_PORT]   sends TEXT, prints the answer; fails after two seconds
  send ADDRESS PORT RATE SECONDS [-u FILE] a stream of numbered datagrams, evenly spaced, for so long
                                           or until FILE is there; prints how many
  receive PORT SECONDS                     counts such a stream; prints JSON when it is over
"""
import argparse
import json
import os
import socket
import struct
import sys
import time


SO_RCVBUFFORCE = 33  # Linux; beyond the limit of net.core.rmem_max, as root


def bound(port, address=""):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((address, port))
    return s


def echo(a):
    s = bound(a.port, a.address)
    while True:
        data, peer = s.recvfrom(65536)
        s.sendto(data + b" from %s:%d" % (peer[0].encode(), peer[1]), peer)


def ask(a):
    s = bound(a.source_port)
    s.connect((a.address, a.port))
    s.settimeout(2)
    s.send(a.text.encode())
    try:
        print(s.recv(65536).decode())
    except (TimeoutError, ConnectionError) as e:
        sys.exit(f"no answer: {e}")


def send(a):
    s = bound(0)
    s.connect((a.address, a.port))
    start = time.monotonic()
    sent = 0
    for n in range(int(a.rate * a.seconds)):
        if a.until and n % 100 == 0 and os.path.exists(a.until):
            break
        early = start + n / a.rate - time.monotonic()
        if early > 0.0005:
            time.sleep(early)
        s.send(struct.pack("!Q", n) + bytes(92))
        sent += 1
    print(sent)


def receive(a):
    s = bound(a.port)
    s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
    s.settimeout(1)
    seen, doubled, late, highest, longest, last = set(), 0, 0, -1, 0.0, None
    end = time.monotonic() + a.seconds
    while time.monotonic() < end:
        try:
            n = struct.unpack("!Q", s.recv(2048)[:8])[0]
        except TimeoutError:
            if seen:
                break
            continue
        now = time.monotonic()
        longest = max(longest, now - last) if last else 0.0
        last = now
        doubled += n in seen
        late += n < highest
        seen.add(n)
        highest = max(highest, n)
    missing = sorted(set(range(highest + 1)) - seen)
    print(json.dumps({"received": len(seen), "missing": len(missing), "first_missing": missing[:20],
                      "doubled": doubled, "late": late,
                      "longest_silence_ms": round(longest * 1000, 1)}))


p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
sub = p.add_subparsers(required=True)
for run, names in ((echo, ["address", "port:int"]), (ask, ["address", "port:int", "text"]),
                   (send, ["address", "port:int", "rate:float", "seconds:float"]),
                   (receive, ["port:int", "seconds:float"])):
    q = sub.add_parser(run.__name__)
    q.set_defaults(run=run)
    for name in names:
        name, _, kind = name.partition(":")
        q.add_argument(name, type={"int": int, "float": float, "": str}[kind])
    if run is ask:
        q.add_argument("-s", "--source-port", type=int, default=0)
    if run is send:
        q.add_argument("-u", "--until", metavar="FILE")
args = p.parse_args()
args.run(args)
