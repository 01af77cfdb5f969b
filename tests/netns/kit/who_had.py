#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Answers from an exported NAT log alone who had an external port at a time (RFC 6302's question).

usage: who_had.py json|syslog|ipfix FILE ADDRESS PORT PROTOCOL MILLISECONDS

json: lines as posternd writes them. syslog: lines that rsyslogd parsed (see the story nat-log).
ipfix: a capture of the datagrams, read by tshark. Prints "block ADDRESS" and "mapping ADDRESS", or
"block nobody" and "mapping nobody": by blocks, and by single mappings where those are logged.
"""
import json
import subprocess
import sys
from datetime import datetime

PROTOCOLS = {"1": "icmp", "6": "tcp", "17": "udp"}


def milliseconds(text):
    return round(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


def from_json(path):
    """Events as (ms, what, host, address, first, last, protocol)."""
    names = {"block-allocated": "block+", "block-held": "block+", "block-released": "block-",
             "mapping-created": "mapping+", "mapping-deleted": "mapping-"}
    for line in open(path, encoding="utf-8"):
        row = json.loads(line)
        what = "end" if row["event"] in ("started", "stopped") else names.get(row["event"])
        if what:
            first = row.get("external_port", 0)
            yield (milliseconds(row["time"]), what, row.get("internal_address"),
                   row.get("external_address"), first, row.get("external_port_last", first),
                   row.get("protocol"))


def from_syslog(path):
    names = {"PBADD": "block+", "PBHELD": "block+", "PBDEL": "block-", "APMADD": "mapping+",
             "APMDEL": "mapping-", "START": "end", "STOP": "end"}
    for line in open(path, encoding="utf-8"):
        time, _, _, msgid, _, data = line.split(" ", 5)
        data = json.loads(data)["rfc5424-sd"]
        found = data.get("npblk") or data.get("napmap") or {}
        if msgid in names:
            first = found.get("xpstart") or found.get("xsport") or 0
            yield (milliseconds(time), names[msgid], found.get("isaddr"), found.get("xsaddr"),
                   int(first), int(found.get("xpend") or first),
                   PROTOCOLS.get(found.get("proto", "")))


def from_ipfix(path):
    """One datagram holds several records; tshark prints each record's fields in a tree of its own."""
    names = {"16": "block+", "17": "block-", "8": "mapping+", "9": "mapping-"}
    done = subprocess.run(["tshark", "-n", "-r", path, "-d", "udp.port==4739,cflow", "-T", "json",
                           "--no-duplicate-keys", "-J", "cflow"],
                          check=True, capture_output=True, text=True)
    for flow in flows_of(json.loads(done.stdout)):
        what = names.get(flow.get("cflow.nat_event"))
        if what:
            first = int(flow.get("cflow.port_range_start")
                        or flow.get("cflow.post_naptsource_transport_port"))
            time = flow["cflow.observation_time_milliseconds"]
            yield (tshark_time(time), what, flow["cflow.srcaddr"],
                   flow["cflow.post_natsource_ipv4_address"], first,
                   int(flow.get("cflow.port_range_end", first)),
                   PROTOCOLS.get(flow.get("cflow.protocol", "")))


def flows_of(tree):
    """Every object in the dissection that tells a NAT event."""
    if isinstance(tree, list):
        for item in tree:
            yield from flows_of(item)
    elif isinstance(tree, dict):
        if "cflow.nat_event" in tree:
            yield tree
        for item in tree.values():
            yield from flows_of(item)


def tshark_time(text):
    """"Nov 23, 2026 01:10:53.002000000 UTC" """
    day, fraction = text.removesuffix(" UTC").rsplit(".", 1)
    seconds = datetime.strptime(day + " +0000", "%b %d, %Y %H:%M:%S %z").timestamp()
    return round(seconds) * 1000 + int(fraction[:3])


def who_had(events, address, port, protocol, at):
    holder = {"block": None, "mapping": None}
    for ms, what, host, external, first, last, of in sorted(events, key=lambda e: e[0]):
        if ms > at:
            break
        if what == "end":
            holder = {"block": None, "mapping": None}
        elif external == address and first <= port <= last and of in (None, protocol):
            holder[what[:-1]] = host if what[-1] == "+" else None
    return holder


def main():
    kind, path, address, port, protocol, at = sys.argv[1:]
    events = {"json": from_json, "syslog": from_syslog, "ipfix": from_ipfix}[kind](path)
    for what, host in who_had(events, address, int(port), protocol, int(at)).items():
        print(what, host or "nobody")


if __name__ == "__main__":
    main()
