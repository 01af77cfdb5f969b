#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Shows the IPFIX messages that `emit` prints to tshark and compares what it reads with what we meant.

usage: tshark.py EMIT_PROGRAM        exit status 77: tshark is not here, nothing was compared
"""
import shutil
import struct
import subprocess
import sys
import tempfile

HOST, COLLECTOR, PORT = bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2]), 4739


def packet(payload):
    """An IPv4 packet around the message; a UDP checksum of 0 means there is none."""
    udp = struct.pack(">4H", 40000, PORT, 8 + len(payload), 0) + payload
    return struct.pack(">2B3H2BH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + HOST + COLLECTOR + udp


def write_pcap(out, packets):
    out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))  # 101: raw IP
    for data in packets:
        out.write(struct.pack("<4I", 0, 0, len(data), len(data)) + data)
    out.flush()


def dissect(path, fields):
    command = ["tshark", "-n", "-r", path, "-d", f"udp.port=={PORT},cflow", "-T", "fields",
               "-E", "separator=|"]
    for field in fields + ["_ws.malformed", "cflow.no_template_found"]:
        command += ["-e", field]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return [line.split("|") for line in done.stdout.splitlines()]


def main():
    if not shutil.which("tshark"):
        print("tshark is not installed")
        return 77
    lines = subprocess.run([sys.argv[1]], check=True, capture_output=True, text=True).stdout
    samples = [line.split() for line in lines.splitlines()]
    wanted = [dict(pair.split("=", 1) for pair in sample[1:]) for sample in samples]
    fields = sorted({field for want in wanted for field in want})
    with tempfile.NamedTemporaryFile(suffix=".pcap") as pcap:
        write_pcap(pcap, [packet(bytes.fromhex(sample[0])) for sample in samples])
        rows = dissect(pcap.name, fields)
    wrong = compared = 0
    for number, (want, row) in enumerate(zip(wanted, rows, strict=True), 1):
        got = dict(zip(fields, row))
        problems = [f"{f} is {got[f]!r}, want {v!r}" for f, v in want.items() if got[f] != v]
        problems += ["malformed, or without a template"] if any(row[-2:]) else []
        compared += len(want)
        wrong += len(problems)
        for problem in problems:
            print(f"message {number}: {problem}")
    print(f"{len(samples)} messages, {compared} fields compared, {wrong} wrong")
    return 1 if wrong or compared == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
