# SPDX-License-Identifier: Apache-2.0
"""IPv4 packets as the in-process server takes and gives them; checksums are verified here."""
import ipaddress
import struct

ICMP, TCP, UDP = 1, 6, 17


class BadPacket(Exception):
    pass


def checksum(octets):
    octets += bytes(len(octets) % 2)
    total = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def address(text):
    return ipaddress.IPv4Address(text).packed


def ip(protocol, source, destination, body):
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 1, 0, 64, protocol, 0)
    head += address(source) + address(destination)
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


def with_sum(at, protocol, source, destination, l4):
    pseudo = address(source) + address(destination) + struct.pack("!BBH", 0, protocol, len(l4))
    total = checksum((b"" if protocol == ICMP else pseudo) + l4)
    if total == 0 and protocol == UDP:
        total = 0xffff
    return l4[:at] + struct.pack("!H", total) + l4[at + 2:]


def udp(source, destination, payload=b"hello?"):
    """source and destination: (address, port)."""
    l4 = struct.pack("!HHHH", source[1], destination[1], 8 + len(payload), 0) + payload
    return ip(UDP, source[0], destination[0], with_sum(6, UDP, source[0], destination[0], l4))


def tcp(source, destination, flags):
    l4 = struct.pack("!HHIIBBHHH", source[1], destination[1], 1, 0, 5 << 4, flags, 8192, 0, 0)
    return ip(TCP, source[0], destination[0], with_sum(16, TCP, source[0], destination[0], l4))


def unreachable(sender, destination, quoted):
    """ICMP host unreachable about `quoted`, an IPv4 packet."""
    l4 = struct.pack("!BBHI", 3, 1, 0, 0) + quoted[:28]
    return ip(ICMP, sender, destination, with_sum(2, ICMP, sender, destination, l4))


class Packet:
    """A packet taken apart: protocol, source and destination (address, port), payload, icmp."""

    def __init__(self, octets):
        if len(octets) < 28 or octets[0] != 0x45 or checksum(octets[:20]) != 0:
            raise BadPacket("no sound IPv4 header")
        if struct.unpack("!H", octets[2:4])[0] != len(octets):
            raise BadPacket("the total length is not the packet's length")
        self.protocol, l4 = octets[9], octets[20:]
        source, destination = (str(ipaddress.IPv4Address(octets[i:i + 4])) for i in (12, 16))
        self.verify(octets, l4)
        ports = struct.unpack("!HH", l4[:4])
        if self.protocol == ICMP:
            ports = (0, 0)
        self.source, self.destination = (source, ports[0]), (destination, ports[1])
        self.payload = l4[8:]

    def verify(self, octets, l4):
        if self.protocol == ICMP and checksum(l4) != 0:
            raise BadPacket("wrong ICMP checksum")
        if self.protocol == UDP and l4[6:8] == b"\0\0":
            return
        pseudo = octets[12:20] + struct.pack("!BBH", 0, self.protocol, len(l4))
        if self.protocol in (UDP, TCP) and checksum(pseudo + l4) != 0:
            raise BadPacket("wrong transport checksum")

    def quoted(self):
        """What an ICMP error is about: (protocol, source, destination)."""
        inner = self.payload
        addresses = [str(ipaddress.IPv4Address(inner[i:i + 4])) for i in (12, 16)]
        ports = struct.unpack("!HH", inner[20:24])
        return inner[9], (addresses[0], ports[0]), (addresses[1], ports[1])

    def text(self):
        names = {UDP: "udp", TCP: "tcp", ICMP: "icmp"}
        ends = " -> ".join(f"{a}:{p}" for a, p in (self.source, self.destination))
        return f"{names.get(self.protocol, self.protocol)} {ends} {self.payload.hex()}"
