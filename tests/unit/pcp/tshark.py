#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Shows the messages that `samples` prints to tshark and compares what it reads with what we meant.

usage: tshark.py SAMPLES_PROGRAM        exit status 77: tshark is not here, nothing was compared
"""
import shutil
import struct
import subprocess
import sys
import tempfile

CLIENT, SERVER = bytes([100, 64, 0, 10]), bytes([100, 64, 0, 1])


def packet(request, payload):
    """An IPv4 packet around the payload; a UDP checksum of 0 means there is none."""
    ends = (CLIENT, SERVER, 12345, 5351) if request else (SERVER, CLIENT, 5351, 12345)
    udp = struct.pack(">4H", ends[2], ends[3], 8 + len(payload), 0) + payload
    return struct.pack(">2B3H2BH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + ends[0] + ends[1] + udp


def write_pcap(out, packets):
    out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))  # 101: raw IP
    for data in packets:
        out.write(struct.pack("<4I", 0, 0, len(data), len(data)) + data)
    out.flush()


def dissect(path, fields):
    command = ["tshark", "-n", "-r", path, "-T", "fields", "-E", "separator=|"]
    for field in fields + ["_ws.malformed"]:
        command += ["-e", field]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return [line.split("|") for line in done.stdout.splitlines()]


def same(got, want):
    return got.replace(":", "") == want.replace(":", "") or got.lower() in {
        "true": ("true", "1"), "false": ("false", "0")}.get(want.lower(), ())


def main():
    if not shutil.which("tshark"):
        print("tshark is not installed")
        return 77
    lines = subprocess.run([sys.argv[1]], check=True, capture_output=True, text=True).stdout
    samples = [line.split() for line in lines.splitlines()]
    wanted = [dict(pair.split("=", 1) for pair in sample[2:]) for sample in samples]
    fields = sorted({field for want in wanted for field in want})
    with tempfile.NamedTemporaryFile(suffix=".pcap") as pcap:
        write_pcap(pcap, [packet(s[0] == "request", bytes.fromhex(s[1])) for s in samples])
        rows = dissect(pcap.name, fields)
    wrong = compared = 0
    for number, (want, row) in enumerate(zip(wanted, rows, strict=True), 1):
        got = dict(zip(fields, row))
        problems = [f"{f} is {got[f]!r}, want {v!r}" for f, v in want.items() if not same(got[f], v)]
        problems += ["malformed"] if row[-1] else []
        compared += len(want)
        wrong += len(problems)
        for problem in problems:
            print(f"message {number}: {problem}")
    print(f"{len(rows)} messages, {compared} fields compared, {wrong} wrong")
    return 1 if wrong or not compared else 0


sys.exit(main())
