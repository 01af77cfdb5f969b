#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""tagger.py - an 802.1Q interface for kernels that were built without one.

  tagger.py TRUNK VLAN NAME   makes the TAP interface NAME; its frames travel tagged over TRUNK
"""
import contextlib
import fcntl
import os
import select
import socket
import struct
import sys

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 2, 0x1000
SOL_PACKET, PACKET_AUXDATA, PACKET_OUTGOING = 263, 8, 4
STATUS_VLAN_VALID = 1 << 4

trunk_name, vlan, name = sys.argv[1], int(sys.argv[2]), sys.argv[3]
tap = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TAP | IFF_NO_PI))
trunk = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
trunk.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
trunk.bind((trunk_name, 3))


def vlan_of(ancillary):
    """The kernel takes the tag off a frame and tells it beside: struct tpacket_auxdata."""
    for level, kind, data in ancillary:
        if level == SOL_PACKET and kind == PACKET_AUXDATA:
            status, _, _, _, _, tci, _ = struct.unpack("IIIHHHH", data[:20])
            if status & STATUS_VLAN_VALID:
                return tci & 0xfff
    return 0


while True:
    for ready in select.select([tap, trunk], [], [])[0]:
        if ready is trunk:
            frame, ancillary, _, address = trunk.recvmsg(2048, 64)
            if address[2] != PACKET_OUTGOING and vlan_of(ancillary) == vlan:
                with contextlib.suppress(OSError):  # not up yet: as a cable that is not plugged in
                    os.write(tap, frame)
        else:
            frame = os.read(tap, 2048)
            trunk.send(frame[:12] + struct.pack("!HH", 0x8100, vlan) + frame[12:])
