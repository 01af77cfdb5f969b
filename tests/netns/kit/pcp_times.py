#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""pcp_times.py - how long PCP answers take, and a flood of requests; on a home, to its gateway.

  pcp_times.py COUNT           MAP renewals one after another; prints JSON. What the link in between
                               loses is sent again after half a second, as any client would
  pcp_times.py flood SECONDS   renewals as fast as one core sends them, answers not waited for
"""
import json
import socket
import struct
import sys
import time

GATEWAY = ("100.64.0.1", 5351)


def client():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect(GATEWAY)
    own = socket.inet_aton(s.getsockname()[0])
    return s, bytes(10) + b"\xff\xff" + own


# The address is the nonce: a second run renews what the first one made.
def map_request(own, nonce, port):
    head = struct.pack("!BBHI", 2, 1, 0, 3600) + own
    return head + nonce + struct.pack("!B3xHH", 17, port, 0) + bytes(10) + b"\xff\xff" + bytes(4)


def ask(s, request):
    s.send(request)
    try:
        return s.recv(1100)
    except TimeoutError:
        return None


def times(count):
    s, own = client()
    s.settimeout(0.5)
    request = map_request(own, own[4:], 7000)
    taken, repeated = [], 0
    for _ in range(count):
        begin = time.perf_counter()
        reply = ask(s, request)
        repeated += reply is None
        reply = reply or ask(s, request) or ask(s, request)
        if reply and reply[1] == 0x81 and reply[3] == 0:
            taken.append(time.perf_counter() - begin)
        time.sleep(0.005)
    taken.sort()
    at = lambda part: int(taken[min(len(taken) - 1, int(len(taken) * part))] * 1e6) if taken else 0
    print(json.dumps({"sent": count, "answered": len(taken), "repeated": repeated,
                      "p50_us": at(0.5), "p99_us": at(0.99)}))
    return len(taken) > 0


def flood(seconds):
    s, own = client()
    s.setblocking(False)
    request = map_request(own, own[4:], 7000)
    end, sent, answered = time.monotonic() + seconds, 0, 0
    while time.monotonic() < end:
        for _ in range(64):
            try:
                s.send(request)
                sent += 1
            except BlockingIOError:
                break
        try:
            while True:
                s.recv(1100)
                answered += 1
        except BlockingIOError:
            pass
    print(json.dumps({"sent": sent, "answered": answered}))
    return True


def main():
    good = flood(float(sys.argv[2])) if sys.argv[1] == "flood" else times(int(sys.argv[1]))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
