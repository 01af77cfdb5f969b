#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""nd.py ROUTER OWN VICTIM - neighbour discovery messages that a router should not believe: forged,
broken, cut; sent from eth0 of a host that is neither, to the router's MAC alone (other hosts'
kernels believe more)."""
import random
import sys

from scapy.all import (ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6ND_RA, ICMPv6ND_Redirect,
                       ICMPv6NDOptDstLLAddr, ICMPv6NDOptSrcLLAddr, Ether, IPv6, Raw, get_if_hwaddr,
                       sendp, srp1)

router, address, victim = sys.argv[1:4]
own = get_if_hwaddr("eth0")


def ask(source, lladdr):
    return srp1(Ether(dst="33:33:ff:00:00:01", src=own) / IPv6(src=source, dst="ff02::1:ff00:1", hlim=255)
                / ICMPv6ND_NS(tgt=router) / ICMPv6NDOptSrcLLAddr(lladdr=lladdr),
                iface="eth0", timeout=1, verbose=0)


answer = ask(address, own)
if answer is None or ICMPv6NDOptDstLLAddr not in answer:
    sys.exit("an honest solicitation was not answered")
mac = answer[ICMPv6NDOptDstLLAddr].lladdr
# A message whose frame has another source than it says is forged; it must get no answer.
if ask(address, "02:00:00:00:00:77") is not None:
    sys.exit("a forged solicitation was answered")

rng = random.Random(4861)
frames = []
for hlim in (1, 64, 254):
    frames.append(Ether(dst=mac, src=own) / IPv6(src=victim, dst="ff02::1", hlim=hlim)
                  / ICMPv6ND_NA(tgt=victim, S=0) / ICMPv6NDOptDstLLAddr(lladdr=own))
frames += [
    Ether(dst=mac, src=own) / IPv6(src=victim, dst="ff02::1", hlim=255)
    / ICMPv6ND_NA(tgt=router, S=0) / ICMPv6NDOptDstLLAddr(lladdr=own),  # claims the router's own
    Ether(dst=mac, src=own) / IPv6(src="fe80::1", dst="ff02::1", hlim=255) / ICMPv6ND_RA(),
    Ether(dst=mac, src=own) / IPv6(src="fe80::1", dst="ff02::1", hlim=255)
    / ICMPv6ND_Redirect(tgt=victim, dst=router),
    Ether(dst=mac, src=own) / IPv6(src="::", dst="ff02::1", hlim=255) / ICMPv6ND_NS(tgt="::1"),
]
whole = bytes(IPv6(src=victim, dst="ff02::1:ff00:1", hlim=255) / ICMPv6ND_NS(tgt=router)
              / ICMPv6NDOptSrcLLAddr(lladdr=own))
for cut in range(0, len(whole)):
    frames.append(Ether(dst=mac, src=own, type=0x86dd) / Raw(whole[:cut]))
for _ in range(500):
    spoilt = bytearray(whole)
    spoilt[rng.randrange(len(spoilt))] = rng.randrange(256)
    frames.append(Ether(dst=mac, src=own, type=0x86dd) / Raw(bytes(spoilt)))
sendp(frames, iface="eth0", verbose=0)
