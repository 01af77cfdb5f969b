# SPDX-License-Identifier: Apache-2.0
"""Every dialect of PCP on the wire: requests from names and values, fields out of replies.

This is on purpose not the codec of src/pcp: a second reading of RFC 6887, 6886, 7220, 7225, 7753,
7843, 7767 and of the drafts behind version 1. A dialect is one of "2", "0" (NAT-PMP), "1a", "1b",
"1c".
"""
import ipaddress
import struct

RESULTS = {
    "success": 0, "unsupp-version": 1, "not-authorized": 2, "malformed-request": 3,
    "unsupp-opcode": 4, "unsupp-option": 5, "malformed-option": 6, "network-failure": 7,
    "no-resources": 8, "unsupp-protocol": 9, "user-ex-quota": 10, "cannot-provide-external": 11,
    "address-mismatch": 12, "excessive-remote-peers": 13, "authentication-required": 15,
    "unknown-session-id": 20, "third-party-id-unknown": 24, "third-party-missing-option": 25,
    "unsupp-third-party-id-length": 26, "nonexist-map": 130, "ambiguous": 131,
}
RESULTS_V1A = {
    "success": 0, "unsupp-version": 1, "malformed-request": 2, "unsupp-opcode": 3,
    "unsupp-option": 4, "malformed-option": 5, "unspecified-error": 6, "misordered-options": 7,
    "server-overloaded": 19, "network-failure": 20, "no-resources": 21, "unsupp-protocol": 22,
    "not-authorized": 23, "user-ex-quota": 24, "cannot-provide-external": 25,
    "excessive-remote-peers": 26, "nonexist-peer": 50, "unauth-target-address": 51,
}
RESULTS_NATPMP = {
    "success": 0, "unsupp-version": 1, "not-authorized": 2, "network-failure": 3,
    "no-resources": 4, "unsupp-opcode": 5,
}
OPTIONS = {
    "third-party": 1, "prefer-failure": 2, "filter": 3, "third-party-id": 13, "description": 128,
    "prefix64": 129, "port-set": 130, "next": 131, "port-reservation": 132, "checkpoint": 192,
}
OPTIONS_V1A = {"unprocessed": 1, "filter": 2, "prefer-failure": 3, "third-party": 4}
PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "sctp": 132, "all": 0}
ANY4 = bytes(10) + b"\xff\xff" + bytes(4)


def results_of(dialect):
    return {"1a": RESULTS_V1A, "0": RESULTS_NATPMP}.get(dialect, RESULTS)


def result_name(dialect, code):
    for name, number in results_of(dialect).items():
        if number == code:
            return name
    return str(code)


def option_name(dialect, code):
    for name, number in (OPTIONS_V1A if dialect == "1a" else OPTIONS).items():
        if number == code:
            return name
    return str(code)


def ip16(text):
    """An address as PCP carries it: 16 octets, IPv4 as ::ffff:a.b.c.d."""
    address = ipaddress.ip_address(text)
    if address.version == 4:
        return bytes(10) + b"\xff\xff" + address.packed
    return address.packed


def ip_text(octets):
    """What a person writes for these 4 or 16 octets."""
    address = ipaddress.ip_address(octets)
    if address.version == 6 and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)


def protocol_number(text):
    return PROTOCOLS[text] if text in PROTOCOLS else int(text, 0)


def u16(value):
    return struct.pack("!H", value)


def u32(value):
    return struct.pack("!I", value)


def pad4(octets):
    return octets + bytes(-len(octets) % 4)


# ---- options ---------------------------------------------------------------------------------

def option(code, data, length=None):
    return pad4(struct.pack("!BBH", code, 0, len(data) if length is None else length) + data)


def filter_data(dialect, text):
    """PREFIX[/BITS][:PORT]; `clear`; `BITS!ADDRESS` for a prefix length as it stands."""
    if text == "clear":
        return bytes(8 if dialect == "1a" else 20)
    prefix, _, port = text.partition(":") if "." in text else (text, "", "")
    if "!" in prefix:
        bits, address = prefix.split("!")
        bits = int(bits)
    else:
        network = ipaddress.ip_interface(prefix)
        address, bits = str(network.ip), network.network.prefixlen
        bits += 96 if network.version == 4 and dialect != "1a" else 0
    octets = ip16(address)
    return struct.pack("!BBH", 0, bits, int(port or 0)) + (octets[12:] if dialect == "1a" else octets)


def port_set_data(text):
    size, first, *parity = text.split(":")
    return struct.pack("!HHB", int(size), int(first), int(bool(parity)))


def option_data(dialect, name, text):
    if text.startswith("hex:"):
        return bytes.fromhex(text[4:])
    if text.startswith("zeros:"):
        return bytes(int(text[6:]))
    if name == "filter":
        return filter_data(dialect, text)
    if name == "third-party":
        return ip16(text)[12:] if dialect == "1a" else ip16(text)
    if name == "port-set":
        return port_set_data(text)
    if name == "prefix64":
        return u16(12) + bytes(12)
    if name == "description":
        return text.encode()
    return bytes.fromhex(text)


def option_from_text(dialect, text):
    """`NAME[=VALUE]`, or `CODE[!LENGTH][=HEX]` with a length that may lie."""
    name, _, value = text.partition("=")
    name, _, length = name.partition("!")
    codes = OPTIONS_V1A if dialect == "1a" else OPTIONS
    code = codes[name] if name in codes else int(name)
    return option(code, option_data(dialect, name, value), int(length) if length else None)


def options_of(octets):
    """[(code, data)] of the options in `octets`; None when the structure is broken."""
    found = []
    while octets:
        if len(octets) < 4:
            return None
        length = struct.unpack("!H", octets[2:4])[0]
        end = 4 + length + -length % 4
        if end > len(octets):
            return None
        found.append((octets[0], octets[4:4 + length]))
        octets = octets[end:]
    return found


# ---- requests --------------------------------------------------------------------------------

def natpmp_request(f):
    if f["kind"] == "announce" or f["kind"] == "address":
        return bytes([f["version"], f.get("opcode", 0)])
    opcode = f.get("opcode", 1 if f["proto"] == 17 else 2)
    return struct.pack("!BBHHHI", f["version"], opcode, 0, f["in"], f["port"], f["life"])


V1A_OPCODES = {"map": 1, "peer": 3}
OPCODES = {"announce": 0, "map": 1, "peer": 2, "auth": 3, "get": 98}


def v1a_request(f):
    opcode = f.get("opcode", V1A_OPCODES.get(f["kind"], 0))
    head = struct.pack("!BBHI", f["version"], opcode, 0, f["life"])
    if f["kind"] == "map":
        return head + struct.pack("!B3xHH", f["proto"], f["in"], f["port"]) + f["ext"][12:]
    if f["kind"] == "peer":
        return head + struct.pack("!B3xH2xH2x", f["proto"], f["in"], f["remote-port"]) + \
            f["remote"][12:] + bytes(16)
    return head


def pcp_body(f, with_nonce):
    if f["kind"] == "get":
        return struct.pack("!B3x16s16sHH", f["proto"], f["inside"], f["ext"], f["in"], f["port"])
    if f["kind"] not in ("map", "peer"):
        return b""
    body = f["nonce"] if with_nonce else b""
    body += struct.pack("!B3xHH", f["proto"], f["in"], f["port"]) + f["ext"]
    if f["kind"] == "peer":
        body += u16(f["remote-port"]) + bytes(2) + f["remote"]
    return body


def request(f):
    """The octets of a request. f: dialect, kind, version, life, client, nonce, proto, in, port,
    ext, remote, remote-port, options (octets); opcode, reserved, r, cut, size may be there."""
    dialect = f["dialect"]
    if dialect == "0":
        octets = natpmp_request(f)
    elif dialect == "1a":
        octets = v1a_request(f)
    else:
        opcode = f.get("opcode", OPCODES[f["kind"]])
        octets = struct.pack("!BBHI", f["version"], opcode, f.get("reserved", 0), f["life"])
        octets += f["client"] + pcp_body(f, dialect != "1b")
    octets += f["options"]
    if f.get("r"):
        octets = bytes([octets[0], octets[1] | 0x80]) + octets[2:]
    if "size" in f:
        octets = octets[:f["size"]] + bytes(max(0, f["size"] - len(octets)))
    return octets


# ---- replies ---------------------------------------------------------------------------------

def decode(dialect, octets):
    """Fields of a reply as far as it is long enough to have them; "options" is None when they are
    broken. A version that is not the dialect's is read as version 2."""
    if dialect == "0" and octets[:1] == b"\0":
        return decode_natpmp(octets)
    if dialect == "1a" and octets[:1] == b"\1":
        return decode_v1a(octets)
    f = {"length": len(octets), "dialect": dialect if octets[:1] == b"\1" else "2"}
    if len(octets) < 24:
        return f
    f.update(version=octets[0], r=octets[1] >> 7, opcode=octets[1] & 127, octet2=octets[2],
             result=octets[3], reserved=octets[12:24])
    f["life"], f["epoch"] = struct.unpack("!II", octets[4:12])
    decode_body(f, octets[24:], octets[0] == 2 or dialect == "1c")
    return f


def decode_body(f, body, with_nonce):
    if f["opcode"] == 98 and len(body) >= 40:
        f["options"] = options_of(body[40:])
        return
    if f["opcode"] not in (1, 2):
        f["options"] = options_of(body)
        return
    start = 12 if with_nonce else 0
    end = start + (24 if f["opcode"] == 1 else 44)
    if len(body) < end:
        return
    if with_nonce:
        f["nonce"] = body[:12]
    f["proto"], f["in"], f["port"] = struct.unpack("!B3xHH", body[start:start + 8])
    f["ext"] = body[start + 8:start + 24]
    if f["opcode"] == 2:
        f["remote-port"] = struct.unpack("!H", body[start + 24:start + 26])[0]
        f["remote"] = body[start + 28:start + 44]
    f["options"] = options_of(body[end:])


def decode_v1a(octets):
    f = {"length": len(octets), "dialect": "1a"}
    if len(octets) < 12:
        return f
    f.update(version=1, r=octets[1] >> 7, opcode=octets[1] & 127, result=octets[3])
    f["life"], f["epoch"] = struct.unpack("!II", octets[4:12])
    body = octets[12:]
    if f["opcode"] == 1 and len(body) >= 12:
        f["proto"], f["in"], f["port"] = struct.unpack("!B3xHH", body[:8])
        f["ext"] = ANY4[:12] + body[8:12]
        f["options"] = options_of(body[12:])
    if f["opcode"] == 3 and len(body) >= 32:
        f["proto"], f["in"], f["port"], f["remote-port"] = struct.unpack("!B3xHHH", body[:10])
        f["remote"] = ANY4[:12] + body[12:16]
        f["ext"] = ANY4[:12] + body[16:20]
        f["options"] = options_of(body[32:])
    return f


def decode_natpmp(octets):
    f = {"length": len(octets), "dialect": "0"}
    if len(octets) < 8:
        return f
    f.update(version=0, r=octets[1] >> 7, opcode=octets[1] & 127)
    f["result"], f["epoch"] = struct.unpack("!HI", octets[2:8])
    if f["opcode"] == 0 and len(octets) >= 12:
        f["ext"] = ANY4[:12] + octets[8:12]
    if f["opcode"] in (1, 2) and len(octets) >= 16:
        f["in"], f["port"], f["life"] = struct.unpack("!HHI", octets[8:16])
        f["proto"] = 17 if f["opcode"] == 1 else 6
    return f


def without_unasked(sent, octets):
    """A success without the PREFIX64 options that nobody asked for (RFC 7225 s.4.2 allows them)."""
    body = {0x80: 24, 0x81: 60, 0x82: 80}.get(octets[1] if len(octets) >= 24 else None)
    asked = options_of(sent[body:]) if body and sent[:1] == b"\2" else None
    came = options_of(octets[body:]) if body and octets[0] == 2 and octets[3] == 0 else None
    prefix64 = OPTIONS["prefix64"]
    if asked is None or came is None or prefix64 in [code for code, _ in asked]:
        return octets
    return octets[:body] + b"".join(option(code, data) for code, data in came if code != prefix64)


# ---- taking back what a request made ---------------------------------------------------------

def deletion(octets):
    """The request that takes back what `octets` made, or None when that made no mapping."""
    if len(octets) == 12 and octets[0] == 0 and octets[1] in (1, 2):
        return octets[:6] + bytes(6)
    if len(octets) >= 20 and octets[:2] == b"\1\1" and len(octets) < 48:
        return octets[:4] + bytes(4) + octets[8:14] + bytes(6)
    if len(octets) < 48 or octets[0] not in (1, 2) or octets[1] != 1:
        return None
    body = 60 if octets[0] == 2 else 48
    kept = [option(code, data) for code, data in options_of(octets[body:]) or []
            if code in (1, 13, 130)]
    port = body - 18
    return octets[:4] + bytes(4) + octets[8:port] + bytes(2) + octets[port + 2:body - 4] + \
        bytes(4) + b"".join(kept)
