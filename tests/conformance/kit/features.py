# SPDX-License-Identifier: Apache-2.0
"""What a server offers, asked of the server itself: once, when the first rule needs to know."""
import os

from . import wire

FEATURES = ("announce", "map", "peer", "nat-pmp", "v1a", "v1b", "v1c", "prefer-failure", "filter",
            "third-party", "third-party-id", "description", "prefix64", "port-set", "checkpoint",
            "get", "port-reservation", "nonce-check")


def has(world, feature):
    """True, or what the server said instead."""
    if world.strict:
        return True  # what the configuration switches on must be there
    if feature not in world.features:
        world.open(None)
        world.features[feature] = probe(world, feature)
        world.close()
    return world.features[feature]


def ask(world, kind, options=(), dialect="2", **keys):
    """The decoded reply to a request with a nonce of its own, or None. Takes back what it made."""
    addresses = world.addresses()
    f = {"kind": kind, "dialect": dialect, "version": int(dialect[0]), "life": 120, "proto": 6,
         "in": world.first_port, "port": 0, "ext": wire.ANY4, "nonce": os.urandom(12),
         "client": wire.ip16(addresses["client"]), "remote": wire.ip16(addresses["peer"]),
         "remote-port": 443, "inside": bytes(16)}
    f.update(keys)
    f["options"] = b"".join(wire.option_from_text(dialect, text) for text in options)
    octets = wire.request(f)
    world.send("client", None, None, octets)
    got = world.receive(octets)
    undo = wire.deletion(octets)
    if got is not None and undo is not None and not keys.get("keep"):
        world.send("client", None, None, undo)
        world.listen(world.timeout / 2)
    return None if got is None else wire.decode(dialect, got.payload)


def said(reply):
    if reply is None:
        return "no answer"
    if "result" not in reply:
        return f"an answer of {reply['length']} octets"
    return "the server answers " + wire.result_name(reply["dialect"], reply["result"])


def succeeds(reply, version):
    good = reply is not None and reply.get("result") == 0 and reply.get("version") == version
    return True if good else said(reply)


def known(reply):
    """Whatever it says, it is not that the opcode or the version is unknown."""
    return said(reply) if reply is None or reply.get("result") in (1, 4) else True


def mandatory(reply):
    """An option of the mandatory range: UNSUPP_OPTION says that it is not there."""
    return said(reply) if reply is None or reply.get("result") in (1, 4, 5) else True


def optional(reply, name):
    """An option of the optional range: it is there when it is echoed."""
    if reply is None or reply.get("result") != 0:
        return said(reply)
    codes = [code for code, _ in reply.get("options") or []]
    return True if wire.OPTIONS[name] in codes else "the server ignores it"


def prefer_failure(world):
    nonce = os.urandom(12)
    first = ask(world, "map", nonce=nonce, keep=True)
    if succeeds(first, 2) is not True:
        return said(first)
    return mandatory(ask(world, "map", ["prefer-failure"], nonce=nonce, port=first["port"],
                         ext=first["ext"]))


def nonce_check(world):
    """A MUST, and rules of its own show it; others only use it to see whether a mapping is left."""
    ask(world, "map", keep=True)
    reply = ask(world, "map")
    return reply is not None and reply.get("result") == 2 or said(reply)


def probe(world, feature):
    neighbour = world.addresses()["neighbour"]
    if feature == "announce":
        return known(ask(world, "announce", life=0))
    if feature == "map":
        return succeeds(ask(world, "map"), 2)
    if feature == "peer":
        reply = ask(world, "peer")
        return said(reply) if reply is not None and reply.get("result") == 2 else known(reply)
    if feature == "nat-pmp":
        return succeeds(ask(world, "address", dialect="0"), 0)
    if feature in ("v1a", "v1b", "v1c"):
        return succeeds(ask(world, "map", dialect=feature[1:]), 1)
    if feature == "get":
        return known(ask(world, "get", life=0, proto=0, **{"in": 0}))
    if feature == "nonce-check":
        return nonce_check(world)
    if feature == "prefer-failure":
        return prefer_failure(world)
    if feature == "third-party-id":
        return mandatory(ask(world, "map", ["third-party=" + neighbour, "third-party-id=01"]))
    if feature in ("filter", "third-party"):
        value = world.peer if feature == "filter" else neighbour
        return mandatory(ask(world, "map", [f"{feature}={value}"]))
    text = {"description": "description=a", "port-set": f"port-set=2:{world.first_port}"}
    return optional(ask(world, "map", [text.get(feature, feature)], proto=17), feature)
