#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""garbage.py - frames that no host sends, and the counter each of them belongs to.

  garbage.py list    prints "COUNTER KIND" for each kind
  garbage.py send    sends ten frames of each kind from eth0 of a home
"""
import logging
import os
import subprocess
import sys

logging.getLogger("scapy.runtime").setLevel(logging.ERROR)
# pylint: disable=wrong-import-position
from scapy.all import ARP, ICMP, IP, TCP, UDP, Dot1Q, Ether, IPv6, Raw, getmacbyip, sendp  # noqa: E402

HOME, WEB, GATEWAY, FAR = "100.64.0.10", "192.0.2.80", "100.64.0.1", "198.18.0.1"
COPIES = 10


def ip(**fields):
    return IP(**{"src": HOME, "dst": WEB, **fields})


def pcp(payload, **fields):
    return ip(dst=GATEWAY) / UDP(sport=40000, dport=5351, **fields) / Raw(payload)


MAP = bytes.fromhex("0201000000000e10") + bytes(10) + b"\xff\xff" + bytes([100, 64, 0, 10])

KINDS = [
    ("ethernet-type", "an unknown Ethernet type", Ether(type=0x9999) / Raw(os.urandom(64))),
    ("ethernet-address", "a frame for another station", Ether(dst="02:00:00:00:00:77") / ip() / UDP()),
    ("no-interface", "a VLAN that nobody configured", Ether() / Dot1Q(vlan=77) / ip() / UDP()),
    ("ipv6", "IPv6", Ether() / IPv6(src="2001:db8::1", dst="2001:db8::2") / UDP()),
    ("arp", "ARP for another hardware", Ether() / ARP(hwtype=6, pdst=GATEWAY)),
    ("arp", "half an ARP message", Ether(type=0x0806) / Raw(bytes(ARP(pdst=GATEWAY))[:12])),
    ("ip-header", "IP version 5", Ether(type=0x0800) / ip(version=5) / UDP()),
    ("ip-header", "a header of four words", Ether() / ip(ihl=4) / UDP()),
    ("ip-header", "half an IP header", Ether(type=0x0800) / Raw(bytes(ip() / UDP())[:11])),
    ("ip-checksum", "a wrong header checksum", Ether() / ip(chksum=0x1234) / UDP()),
    ("ip-address", "loopback as the source", Ether() / ip(src="127.0.0.1") / UDP()),
    ("ip-address", "a group as the source", Ether() / ip(src="224.0.0.5") / UDP()),
    ("ip-truncated", "an IP packet cut short", Ether() / ip(len=900) / UDP() / Raw(bytes(40))),
    ("l4-header", "half a UDP header", Ether() / ip(proto=17) / Raw(b"\x10\x00\x00\x35")),
    ("l4-header", "a UDP length beyond the packet", Ether() / ip() / UDP(len=500) / Raw(bytes(10))),
    ("l4-header", "a TCP header of three words", Ether() / ip() / TCP(dataofs=3)),
    ("l4-header", "half a TCP header", Ether() / ip(proto=6) / Raw(bytes(10))),
    ("icmp-bad-checksum", "a wrong ICMP checksum", Ether() / ip() / ICMP(chksum=0x4321)),
    ("icmp-embedded-bad", "an ICMP error about nothing", Ether() / ip() / ICMP(type=3, code=1)),
    ("icmp-embedded-bad", "an ICMP error about random octets",
     Ether() / ip() / ICMP(type=3, code=1) / Raw(b"\x99" * 40)),
    ("icmp-type", "an ICMP timestamp request", Ether() / ip() / ICMP(type=13) / Raw(bytes(12))),
    ("icmp-no-mapping", "an ICMP error about no flow of ours",
     Ether() / ip() / ICMP(type=3, code=3) / IP(src=WEB, dst=HOME) / UDP(sport=53, dport=4444)),
    ("proto-unsupported", "GRE", Ether() / ip(proto=47) / Raw(bytes(20))),
    ("no-policy", "a source of no NAT group", Ether() / ip(src="10.9.8.7", dst=FAR) / UDP()),
    ("inside-to-inside", "to a home, by way of the CGN", Ether() / ip(dst="100.64.0.99") / UDP()),
    ("ttl", "a packet at the end of its life", Ether() / ip(ttl=1) / UDP()),
    ("local-protocol", "a service the CGN does not have", Ether() / ip(dst=GATEWAY) / TCP(dport=22)),
    ("pcp-short", "one octet of PCP", Ether() / pcp(b"\x02")),
    ("pcp-response", "a PCP response", Ether() / pcp(b"\x02\x81" + MAP[2:] + bytes(36))),
    ("pcp-bad-checksum", "PCP with a wrong UDP checksum", Ether() / pcp(MAP + bytes(36), chksum=0x1111)),
]


def send():
    subprocess.run(["ping", "-c1", "-W2", GATEWAY], stdout=subprocess.DEVNULL, check=False)
    gateway = getmacbyip(GATEWAY)
    frames = []
    for _, _, frame in KINDS:
        if "dst" not in frame.fields:
            frame.dst = gateway
        frame.src = "02:00:00:00:00:10"
        frames += [bytes(frame)] * COPIES
    sendp([Raw(f) for f in frames], iface="eth0", verbose=False, inter=0.001)


if sys.argv[1:] == ["send"]:
    send()
else:
    for name, kind, _ in KINDS:
        print(name, kind)
