# SPDX-License-Identifier: Apache-2.0
"""Rule files as they are read, the names they use, and the octets they expect.

docs/conformance.md tells the language.
"""
import hashlib
import pathlib
import re
import shlex

from . import features, wire

LEVELS = ("MUST", "SHOULD", "MAY", "choice")
LAB = {  # what only a world of our own has
    "hosts": "more than one client address",
    "packets": "packets through the NAT",
    "config": "a configuration of its own",
    "operator": "the server's operator",
}
NEEDS = {"ipv4", "ipv6", *LAB, *features.FEATURES}
VECTORS = {letter + f"{number:02}" for letter, last in
           (("V", 47), ("N", 9), ("A", 9), ("B", 9), ("X", 41)) for number in range(1, last + 1)}


class RuleError(Exception):
    """The file itself is wrong."""


class Mismatch(Exception):
    """What came is not what was expected."""


class Step:
    def __init__(self, line, text):
        self.line, self.text = line, text
        try:
            self.words = shlex.split(text, comments=True)
        except ValueError as error:
            raise RuleError(f"{line}: {error}") from None


class Rule:
    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.name = self.path.stem
        self.title = self.source = self.skip = ""
        self.level = "MUST"
        self.vectors, self.needs, self.steps = [], [], []
        self.config, self.hosts = {}, {}
        for number, line in enumerate(self.path.read_text().splitlines(), 1):
            line = line.strip()
            if line and not line.startswith("#"):
                self.read(number, line)
        if not self.title or not self.source:
            raise RuleError(f"{self.path}: wants `rule` and `source`")
        if self.level not in LEVELS:
            raise RuleError(f"{self.path}: level is one of {', '.join(LEVELS)}")
        if not self.steps and not self.skip:
            raise RuleError(f"{self.path}: has no steps")
        if not NEEDS.issuperset(need.lstrip("!") for need in self.needs):
            raise RuleError(f"{self.path}: needs are some of {', '.join(sorted(NEEDS))}")

    def read(self, number, line):
        word, _, rest = line.partition(" ")
        rest = rest.strip()
        if word == "rule":
            self.title = rest
        elif word in ("source", "level", "skip"):
            setattr(self, word, rest)
        elif word == "vector":
            self.vectors += rest.split()
        elif word == "needs":
            self.needs += rest.split()
        elif word == "config":
            path, _, value = rest.partition("=")
            self.config[path.strip()] = value.strip()
        elif word == "host":
            name, address = rest.split()
            self.hosts[name] = address
        else:
            self.steps.append(Step(number, line))


def read_all(directory):
    found = [Rule(path) for path in sorted(pathlib.Path(directory).glob("*.steps"))]
    missing = VECTORS.difference(*(rule.vectors for rule in found))
    if missing:
        raise RuleError(f"no rule plays the vectors {', '.join(sorted(missing))}")
    return found


# ---- names -----------------------------------------------------------------------------------
# What a name stands for is told by the name itself: in, in2, ... an internal port; port, ... an
# external port; life; nonce, other: 12 octets; all others: addresses.

NAME = re.compile(r"\$([a-z]+[0-9]*)([+-][0-9]+)?")
WIDTHS = {"in": 2, "port": 2, "size": 2, "life": 4, "nonce": 12, "other": 12}


def width_of(name):
    return WIDTHS.get(name.rstrip("0123456789"), 16)


def to_octets(name, value):
    return value if isinstance(value, bytes) else value.to_bytes(width_of(name), "big")


def from_octets(name, octets):
    return octets if width_of(name) > 4 else int.from_bytes(octets, "big")


class Names:
    """The variables of one rule while it runs. `strict`: the world is ours and nothing is left
    to the server's choice; otherwise ports and nonces are fresh ones."""

    def __init__(self, strict, addresses, first_port, salt):
        self.strict, self.first_port, self.salt = strict, first_port, salt
        self.known = {"any": wire.ANY4, "nonce": bytes.fromhex("00112233445566778899aabb"),
                      "other": bytes.fromhex("ffeeddccbbaa998877665544"), "none": bytes(16)}
        if not strict:
            for name in ("nonce", "other"):
                self.known[name] = self.drawn(name)
        for name, address in addresses.items():
            self.known[name] = wire.ip16(address)

    def drawn(self, name):
        return hashlib.sha256(f"{self.salt} {name}".encode()).digest()[:12]

    def find(self, name):
        if name in self.known:
            return self.known[name]
        base = name.rstrip("0123456789")
        number = int(name[len(base):] or 1)
        if base == "in":
            self.known[name] = self.first_port + 16 * (number - 1)
        elif base in ("nonce", "other"):
            self.known[name] = self.drawn(name)
        else:
            raise RuleError(f"nothing is called ${name} yet")
        return self.known[name]

    def let(self, name, value):
        # Over the network an internal port of the rule's own choice could be in use.
        if value.startswith("$"):
            self.known[name] = self.value(value)
        elif self.strict or not name.startswith("in"):
            literal = {2: lambda: int(value, 0), 4: lambda: int(value, 0),
                       12: lambda: bytes.fromhex(value), 16: lambda: wire.ip16(value)}
            self.known[name] = literal[width_of(name)]()

    def value(self, text):
        """The value behind `$name` or `$name+1`."""
        match = NAME.fullmatch(text)
        if match is None:
            raise RuleError(f"{text} is no name")
        value = self.find(match[1])
        return value + int(match[2]) if match[2] else value

    def number(self, text):
        return self.value(text) if text.startswith("$") else int(text, 0)

    def address(self, text):
        return self.value(text) if text.startswith("$") else wire.ip16(text)

    def octets(self, text):
        return self.value(text) if text.startswith("$") else bytes.fromhex(text)

    def spell(self, text):
        """`text` with every $name replaced by what a person would write for it."""
        def one(match):
            value = self.value(match[0])
            if not isinstance(value, bytes):
                return str(value)
            return wire.ip_text(value) if len(value) == 16 else value.hex()
        return NAME.sub(one, text)


# ---- octets with holes -----------------------------------------------------------------------
# A template is hex in which {name} stands for a variable, {name.4} for its last four octets, ??
# for any octet, and HEX*N for a repetition. A chunk that ends with ~ is what our server chooses:
# another one may choose otherwise.

PIECE = re.compile(r"\{([a-z0-9]+)(?:([+-])([0-9]+))?(\.4)?\}|([0-9a-f]{2})|(\?\?)")
REPEAT = re.compile(r"([0-9a-f]+)\*([0-9]+)")


class Piece:
    def __init__(self, width, name=None, octets=None, add=0, last4=False):
        self.width, self.name, self.octets = width, name, octets
        self.add, self.last4 = add, last4


def piece_of(match):
    name, sign, number, last4, octet, _ = match.groups()
    if octet is not None:
        return Piece(1, octets=bytes.fromhex(octet))
    if name is None:
        return Piece(1)
    if name in ("zero", "copied"):
        return Piece(12, name=name)
    if name == "epoch":
        return Piece(4, name=name)
    add = int((sign or "+") + (number or "0"))
    return Piece(4 if last4 else width_of(name), name, add=add, last4=last4 is not None)


def pieces_of(text):
    """[(pieces, ours)] of a template."""
    chunks = []
    for chunk in text.split():
        ours = chunk.endswith("~")
        chunk = REPEAT.sub(lambda m: m[1] * int(m[2]), chunk.rstrip("~"))
        pieces, at = [], 0
        while at < len(chunk):
            match = PIECE.match(chunk, at)
            if match is None:
                raise RuleError(f"{chunk} is no template")
            pieces.append(piece_of(match))
            at = match.end()
        chunks.append((pieces, ours))
    return chunks


def fill(text, names):
    """The octets of a template whose every variable is known: a request."""
    out = b""
    for pieces, _ in pieces_of(text):
        for piece in pieces:
            if piece.octets is not None:
                out += piece.octets
                continue
            value = names.find(piece.name)
            octets = to_octets(piece.name, value + piece.add if piece.add else value)
            out += octets[-4:] if piece.last4 else octets
    return out


class Template:
    """Compares a reply with a template. `epoch` says what is wrong with an Epoch, or nothing."""

    def __init__(self, text, names, client, epoch):
        self.chunks, self.names = pieces_of(text), names
        self.client, self.epoch = client, epoch
        self.length = sum(piece.width for pieces, _ in self.chunks for piece in pieces)

    def match(self, octets):
        at = 0
        for pieces, ours in self.chunks:
            for piece in pieces:
                part = octets[at:at + piece.width]
                if not ours or self.names.strict:
                    self.compare(piece, part, at)
                at += piece.width
        if len(octets) != self.length:
            raise Mismatch(f"{len(octets)} octets came, {self.length} are right")

    def compare(self, piece, part, at):
        if piece.name == "epoch":
            wrong = self.epoch(int.from_bytes(part, "big"))
            if wrong:
                raise Mismatch(wrong)
            return
        wanted = self.wanted(piece, part)
        if wanted is not None and part != wanted:
            raise Mismatch(f"octet {at}: {part.hex() or 'nothing'} came, {wanted.hex()} is right")

    def wanted(self, piece, part):
        """What must stand there; None: anything, and a variable without a value takes it."""
        if piece.name is None:
            return piece.octets
        if piece.name == "zero":
            return bytes(12)
        if piece.name == "copied":
            return self.client[4:]
        if piece.name in self.names.known or piece.name.rstrip("0123456789") in ("in", "nonce"):
            value = self.names.find(piece.name)
            octets = to_octets(piece.name, value + piece.add if piece.add else value)
            return octets[-4:] if piece.last4 else octets
        if len(part) == piece.width:
            value = wire.ANY4[:12] + part if piece.last4 else part
            self.names.known[piece.name] = from_octets(piece.name, value)
        return None
