# SPDX-License-Identifier: Apache-2.0
"""Plays the steps of one rule in a world and says what came of it."""
import struct

from . import features, packets, wire
from .rules import LAB, Mismatch, Names, RuleError, Template, fill
from .worlds import Broken, NotOffered, Skip

CLIENT_PORT = 12345
NUMBERS = ("length", "version", "opcode", "octet2", "result", "life", "epoch", "in", "port", "remote-port",
           "proto")
ADDRESSES = ("ext", "remote")


class Outcome:
    def __init__(self, rule, verdict, reason="", line=0, talk=()):
        self.rule, self.verdict, self.reason, self.line = rule, verdict, reason, line
        self.talk = list(talk)


def play(rule, world):
    """pass, fail, differs (a choice of ours that another server need not share), not offered, or
    skip."""
    if rule.skip:
        return Outcome(rule, "skip", rule.skip)
    player = Player(rule, world)
    try:
        player.needs()
        world.open(rule)
        try:
            player.play()
        finally:
            player.clean_up()
            world.close()
    except Skip as why:
        return Outcome(rule, "skip", str(why), talk=player.talk)
    except NotOffered as why:
        return Outcome(rule, "not offered", str(why), talk=player.talk)
    except (Mismatch, Broken, RuleError) as why:
        lawful = rule.level == "choice" and not world.strict and not isinstance(why, RuleError)
        return Outcome(rule, "differs" if lawful else "fail", str(why), player.line, player.talk)
    return Outcome(rule, "pass", talk=player.talk)


def split(words):
    """Positional words, {key: (value, ours)}, and options behind a +."""
    plain, keys, options = [], {}, []
    for word in words:
        at = min((word.find(c) for c in "=~" if c in word), default=-1)
        if word.startswith("+"):
            options.append(word[1:])
        elif at > 0:
            keys[word[:at]] = (word[at + 1:], word[at] == "~")
        else:
            plain.append(word)
    return plain, keys, options


class Player:
    def __init__(self, rule, world):
        self.rule, self.world, self.line, self.talk = rule, world, 0, []
        self.made = []         # (host, port, request) to take back
        self.sent = self.wish = self.previous = None
        self.host, self.port = "client", CLIENT_PORT if world.strict else None
        self.unordered = []

    def needs(self):
        for need in self.rule.needs:
            if need == "ipv6":
                if self.world.family != 6:
                    raise Skip("an IPv6 client is needed; " + (
                        "our server has none yet" if self.world.strict else "this is IPv4"))
            elif need == "ipv4":
                if self.world.family != 4:
                    raise Skip("needs IPv4")
            elif need.startswith("!"):
                if not self.world.strict and features.has(self.world, need[1:]) is True:
                    raise Skip(f"needs a server that does not offer {need[1:]}")
            elif need in LAB:
                if not self.world.strict and not (need == "packets" and self.world.outside):
                    raise Skip("needs " + LAB[need])
            else:
                answer = features.has(self.world, need)
                if answer is not True and need == "nonce-check":
                    raise Skip(f"needs a server that checks nonces; {answer}")
                if answer is not True:
                    raise NotOffered(f"{need}: {answer}")

    def play(self):
        world = self.world
        addresses = dict(world.addresses(), **(self.rule.hosts if world.strict else {}))
        self.names = Names(world.strict, addresses, world.first_port,
                           f"{self.rule.name} {world.salt}")
        self.addresses = addresses
        for step in self.rule.steps:
            self.line = step.line
            verb, *words = step.words
            method = getattr(self, "do_" + verb.replace("-", "_"), None)
            if method is None:
                raise RuleError(f"no step is called {verb}")
            method(words)
        left = world.left_over()
        if left:
            raise Mismatch(left)

    # ---- who, where, when ----

    def do_let(self, words):
        name, value = words
        self.names.let(name, value)

    def do_as(self, words):
        self.host = words[0]
        if len(words) > 1:
            self.port = int(words[1])
        elif not self.world.strict:
            self.port = None

    def do_to(self, words):
        self.world.server = (wire.ip_text(self.names.address(words[0])), self.world.server[1])

    def do_wait(self, words):
        self.world.wait(float(words[0]))

    def do_epoch(self, words):
        self.world.set_epoch(int(words[0]))

    def do_restart(self, _words):
        self.world.set_epoch(0)
        self.world.ask("announce")

    def do_clear(self, words):
        self.world.ask(f"clear {self.addresses[words[0]]}" if words else "clear-group")

    def do_reload(self, words):
        path, _, value = " ".join(words).partition("=")
        self.world.load("reload", {path.strip(): value.strip()})

    # ---- requests ----

    def transmit(self, octets, wish):
        self.sent, self.wish = octets, wish
        self.talk.append(("sent", self.host, octets))
        self.made.append((self.host, self.port, octets))
        self.world.send(self.addresses[self.host], self.port, self.world.server, octets)

    def do_send(self, words):
        self.transmit(fill(" ".join(words), self.names), None)

    def do_again(self, _words):
        self.transmit(self.sent, self.wish)

    def do_announce(self, words):
        self.ask("announce", words)

    def do_address(self, words):
        self.ask("address", ["v=0"] + words)

    def do_map(self, words):
        self.ask("map", words)

    def do_peer(self, words):
        self.ask("peer", words)

    def do_get(self, words):
        self.ask("get", words)

    def do_auth(self, words):
        self.ask("auth", words)

    def ask(self, kind, words):
        plain, keys, options = split(words)
        keys = {key: value for key, (value, _) in keys.items()}
        names, wish = self.names, {"kind": kind, "dialect": keys.pop("v", "2")}
        numbers = {"version": 0 if wish["dialect"] == "0" else int(wish["dialect"][0]),
                   "life": 0 if kind in ("announce", "get") else 3600, "port": 0,
                   "in": 0 if kind == "get" else names.find("in")}
        wish["proto"] = wire.protocol_number(plain[0]) if plain else (0 if kind == "get" else 6)
        wish["client"] = names.find(self.host)
        wish["nonce"], wish["ext"] = names.find("nonce"), names.find("any")
        wish["inside"] = bytes(16)
        wish["remote"], wish["remote-port"] = names.find("peer"), 443
        wish.update(numbers)
        for key, text in keys.items():
            self.set_field(wish, key, text)
        wish["options"] = b"".join(
            wire.option_from_text(wish["dialect"], names.spell(text)) for text in options)
        self.transmit(wire.request(wish), wish)

    def set_field(self, wish, key, text):
        if key == "remote":
            address, _, port = text.rpartition(":")
            wish["remote"], wish["remote-port"] = \
                self.names.address(address), self.names.number(port)
        elif key in ("ext", "client", "inside"):
            wish[key] = self.names.address(text)
        elif key == "nonce":
            wish[key] = self.names.octets(text)
        elif key in ("life", "in", "port", "version", "opcode", "reserved", "r", "size"):
            wish[key] = self.names.number(text)
        else:
            raise RuleError(f"a request has no field {key}")

    # ---- replies ----

    def do_expect(self, words):
        if words == ["nothing"]:
            got = self.world.receive_none()
            if got is not None:
                raise Mismatch(f"silence is right, but {got.payload.hex()} came")
            return
        plain, keys, options = split([w for w in words if w != "hex"])
        if words[0] == "hex":
            plain = [word for word in words[1:] if not word.startswith("to=")]
        to = keys.pop("to", (None, False))[0]
        refusals = keys.pop("may-refuse", ("", False))[0]
        if not self.unordered:
            self.judge(words[0] == "hex", plain, keys, refusals, self.next_reply(to))
        else:
            self.judge_one(words[0] == "hex", plain, keys, refusals)

    def judge(self, is_hex, plain, keys, refusals, got):
        if is_hex:
            self.template(plain, got)
        elif plain[0] == "same":
            self.same(got)
        else:
            self.fields(plain, dict(keys), refusals, got)
        self.previous = got

    def judge_one(self, *how):
        """One of the replies that may come in any order must be right."""
        for at, got in enumerate(self.unordered):
            known = dict(self.names.known)
            try:
                self.judge(*how, got)
            except Mismatch as why:
                self.names.known, wrong = known, why
            else:
                del self.unordered[at]
                return
        raise wrong

    def do_replies(self, words):
        """replies N: the next N datagrams may come in any order."""
        self.unordered = [self.next_reply(None) for _ in range(int(words[0]))]

    def next_reply(self, to):
        got = self.world.receive(self.sent)
        if got is None:
            dropped = getattr(self.world, "dropped", None)
            raise Mismatch("no answer" + (f" (dropped: {dropped})" if dropped else ""))
        self.talk.append(("came", self.host, got.payload))
        if got.source != self.world.server:
            raise Mismatch("the answer came from %s:%d" % got.source)
        if to is not None:
            host, _, port = to.rpartition(":")
            if got.destination != (wire.ip_text(self.names.address(host)), int(port)):
                raise Mismatch("it went to %s:%d" % got.destination)
        elif self.world.strict and got.destination != (self.addresses[self.host], self.port):
            raise Mismatch("the answer went to %s:%d" % got.destination)
        return got.payload if self.world.strict else wire.without_unasked(self.sent, got.payload)

    def template(self, plain, got):
        client = self.names.find(self.host)
        template = Template(" ".join(plain), self.names, client, self.world.epoch_is_wrong)
        template.match(got)

    def same(self, got):
        before = self.previous
        if got[:8] + got[12:] != before[:8] + before[12:]:
            raise Mismatch(f"another answer than before: {got.hex()}")

    def fields(self, plain, keys, refusals, got):
        dialect = keys.pop("v", (self.wish["dialect"] if self.wish else "2", False))[0]
        f = wire.decode(dialect, got)
        if "result" not in f:
            raise Mismatch(f"{len(got)} octets are no reply")
        came = wire.result_name(f["dialect"], f["result"])
        if not self.world.strict and came in refusals.split(","):
            raise Skip(f"the server answers {came}, as it may")
        results = plain[0].split("|")
        if "any" not in results and came not in results:
            raise Mismatch(f"{came} came, {' or '.join(results)} is right")
        self.identity(f, keys)
        for flag in plain[1:]:
            self.flag(flag, f, got)
        for key, (text, ours) in keys.items():
            self.field(key, text, ours and not self.world.strict, f)

    def identity(self, f, keys):
        """What a client matches a reply by (RFC 6887 s.8.3, s.11.4, s.12.4)."""
        if self.wish is None or "opcode" in keys:
            return
        if f["r"] != 1:
            raise Mismatch("the R bit is clear")
        if self.sent[0] == f["version"] and f["opcode"] != self.sent[1] & 127 and f["result"] != 1:
            raise Mismatch(f"opcode {f['opcode']} came, {self.sent[1] & 127} was asked")
        if self.sent[0] != f["version"] or self.wish["kind"] not in ("map", "peer"):
            return
        for key in ("nonce", "proto", "in"):
            if key in f and key not in keys and f[key] != self.wish[key] and \
                    len(self.sent) >= 60:
                raise Mismatch(f"{key} of the reply is not that of the request")

    def flag(self, flag, f, got):
        if flag == "copied":
            wanted = wire.pad4(self.sent)[24:1100]
            if got[24:] != wanted:
                raise Mismatch(f"the copy of the request is wrong: {got[24:].hex()}")
        elif flag == "echo":
            sent = self.wish["options"]
            if f.get("options") != wire.options_of(sent):
                raise Mismatch(f"options {f.get('options')} are no echo of {sent.hex()}")
        else:
            raise RuleError(f"expect knows no {flag}")

    def field(self, key, text, lenient, f):
        if key == "options":
            self.options(text, f)
            return
        if key.startswith("option."):
            self.option(key[7:], text, lenient, f)
            return
        if key not in f:
            raise Mismatch(f"the reply is too short for {key}")
        if lenient:
            return
        value = f[key]
        if key in NUMBERS:
            self.number(key, text, value)
        elif key in ADDRESSES:
            self.octets(key, text, value, self.names.address)
        elif key == "nonce":
            self.octets(key, text, value, self.names.octets)
        elif key == "reserved":
            wanted = {"zero": bytes(12), "copied": self.names.find(self.host)[4:]}[text]
            if value != wanted:
                raise Mismatch(f"octets 12 to 23 are {value.hex()}, {wanted.hex()} is right")
        else:
            raise RuleError(f"a reply has no field {key}")

    def number(self, key, text, value):
        if key == "epoch" and text == "right":
            wrong = self.world.epoch_is_wrong(value)
            if wrong:
                raise Mismatch(wrong)
        elif text.startswith("$") and text[1:] not in self.names.known and text[1:].isalnum():
            self.names.known[text[1:]] = value
        elif not any(self.number_is(part, value) for part in text.split("|")):
            shown = self.names.spell(text)
            raise Mismatch(f"{key} {value} came, {shown} is right")

    def number_is(self, text, value):
        number = self.names.number
        if text.startswith("!"):
            return not self.number_is(text[1:], value)
        low, dots, high = text.partition("..")
        if dots:
            return number(low) <= value <= number(high)
        if text in ("even", "odd"):
            return value % 2 == (text == "odd")
        return value == (wire.protocol_number(text) if text in wire.PROTOCOLS else number(text))

    def octets(self, key, text, value, read):
        if text.startswith("$") and text[1:] not in self.names.known:
            self.names.known[text[1:]] = value
            return
        different = text.startswith("!")
        wanted = read(text.lstrip("!"))
        if (value == wanted) == different:
            raise Mismatch(f"{key} {value.hex()} came, {'not ' * different}{wanted.hex()} is right")

    def options(self, text, f):
        if f.get("options") is None:
            raise Mismatch("the reply has no sound options")
        names = [wire.option_name(f["dialect"], code) for code, _ in f["options"]]
        wanted = [] if text == "none" else text.split(",")
        if names != wanted:
            raise Mismatch(f"options {','.join(names) or 'none'} came, {text} is right")

    def option(self, name, text, lenient, f):
        codes = wire.OPTIONS_V1A if f["dialect"] == "1a" else wire.OPTIONS
        code = codes[name] if name in codes else int(name)
        came = [data for number, data in f.get("options") or [] if number == code]
        if text == "absent":
            if came and not lenient:
                raise Mismatch(f"option {name} came, none is right")
        elif not came:
            raise Mismatch(f"option {name} is missing")
        elif text != "present" and not lenient:
            wanted = wire.option_data(f["dialect"], name, self.names.spell(text))
            if wanted not in came:
                raise Mismatch(f"option {name} is {came[0].hex()}, {wanted.hex()} is right")

    # ---- packets through the NAT ----

    def endpoint(self, text):
        host, _, port = self.names.spell(text).rpartition(":")
        return self.addresses.get(host, host), int(port)

    def do_packet(self, words):
        """packet in|out udp|tcp FROM TO [FLAGS], or packet in icmp FROM about udp|tcp FROM TO."""
        way, protocol, source, *rest = words
        if protocol == "icmp":
            _, inner, inner_from, inner_to = rest
            quoted = self.build(inner, inner_from, inner_to)
            to = self.endpoint(inner_from)[0]
            sender = self.names.spell(source)
            octets = packets.unreachable(sender, to, quoted)
        else:
            octets = self.build(protocol, source, *rest)
        self.world.inject("outside" if way == "in" else "inside", octets, self.internal_ports())

    def internal_ports(self):
        """Where something may come in: the rule's internal ports and the sets behind them."""
        first = [value for name, value in self.names.known.items()
                 if name.rstrip("0123456789") == "in"]
        return sorted({port + more for port in first for more in range(10)})

    def build(self, protocol, source, destination, flags="syn"):
        source, destination = self.endpoint(source), self.endpoint(destination)
        if protocol == "udp":
            return packets.udp(source, destination)
        bits = sum({"fin": 1, "syn": 2, "rst": 4, "ack": 16}[flag] for flag in flags.split("+"))
        return packets.tcp(source, destination, bits)

    def do_passes(self, words):
        """passes [from=ADDRESS:PORT] [to=ADDRESS:PORT]: the packet came out on the other side."""
        _, keys, _ = split(words)
        item = self.world.take()
        if item is None:
            raise Mismatch(f"the packet did not pass ({self.world.dropped})")
        packet = item[1]
        ends = {"from": packet.source, "to": packet.destination}
        if packet.protocol == packets.ICMP and len(packet.payload) >= 24:
            ends.update(about=packet.quoted()[1])
        for key, (text, _) in keys.items():
            self.bind_endpoint(key, text, ends[key])

    def bind_endpoint(self, key, text, came):
        host, _, port = text.rpartition(":")
        for word, value in ((host, wire.ip16(came[0])), (port, came[1])):
            if word.startswith("$") and word[1:] not in self.names.known:
                self.names.known[word[1:]] = value
        if self.endpoint(text) != came:
            raise Mismatch(f"it passed, but {key} {came[0]}:{came[1]}")

    def do_dropped(self, words):
        item = self.world.take()
        if item is not None:
            raise Mismatch(f"it is not dropped, but went out: {item[1].text()}")
        if self.world.dropped is None or (
                words and self.world.strict and self.world.dropped != words[0]):
            raise Mismatch(f"dropped for: {self.world.dropped}")

    # ---- the end ----

    def clean_up(self):
        """Over the network, takes back what was made; a world of our own just ends."""
        if self.world.strict:
            return
        undone = set()
        for host, port, octets in reversed(self.made):
            undo = wire.deletion(octets)
            if undo is not None and host == "client" and undo not in undone:
                undone.add(undo)
                self.world.send(host, port, self.world.server, undo)
                self.world.listen(self.world.timeout / 2)
