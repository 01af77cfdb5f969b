# SPDX-License-Identifier: Apache-2.0
"""What came of the rules: for a terminal, for a program, for the documentation."""
import json
import re

VERDICTS = ("pass", "fail", "differs", "not offered", "skip")


def section_of(rule):
    """RFC 6887 of `rfc6887-s11.3-...`; the drafts by their name."""
    match = re.match(r"rfc([0-9]+)-", rule.name)
    return f"RFC {match[1]}" if match else rule.name.split("-")[0]


def totals(outcomes):
    return {verdict: sum(o.verdict == verdict for o in outcomes) for verdict in VERDICTS}


def sections(outcomes):
    found = {}
    for outcome in outcomes:
        found.setdefault(section_of(outcome.rule), []).append(outcome)
    return found


def sums(outcomes):
    counts = totals(outcomes)
    return ", ".join(f"{counts[v]} {v}" for v in VERDICTS if counts[v] or v in ("pass", "fail"))


def show(outcome, out, colour, verbose):
    paint = {"pass": "32", "fail": "31", "differs": "33"}.get(outcome.verdict, "2")
    word = f"{outcome.verdict:<11}"
    if colour:
        word = f"\033[{paint}m{word}\033[0m"
    print(f"{word} {outcome.rule.name}: {outcome.rule.title}", file=out)
    if outcome.verdict in ("fail", "differs"):
        print(f"            {outcome.rule.path.name}:{outcome.line}: {outcome.reason}", file=out)
    elif outcome.reason:
        print(f"            {outcome.reason}", file=out)
    if verbose or outcome.verdict in ("fail", "differs"):
        for way, host, octets in outcome.talk if verbose else outcome.talk[-4:]:
            print(f"            {way} {host}: {spaced(octets)}", file=out)
    out.flush()


def spaced(octets):
    return " ".join(octets[i:i + 4].hex() for i in range(0, len(octets), 4))


def closing(outcomes, out):
    """A table of sections, then the line that tools/test counts."""
    print(file=out)
    for name, some in sections(outcomes).items():
        print(f"{name:<12} {sums(some)}", file=out)
    counts = totals(outcomes)
    if counts["differs"] or counts["not offered"]:
        print(f"{'all':<12} {sums(outcomes)}", file=out)
    else:
        print(f"conformance: {counts['pass']} passed, {counts['fail']} failed, "
              f"{counts['skip']} skipped", file=out)


def as_json(title, outcomes):
    rules = [{"rule": o.rule.name, "title": o.rule.title, "source": o.rule.source,
              "level": o.rule.level, "vectors": o.rule.vectors, "verdict": o.verdict,
              "reason": o.reason, "line": o.line,
              "talk": [{"way": way, "host": host, "octets": octets.hex()}
                       for way, host, octets in o.talk] if o.verdict == "fail" else []}
             for o in outcomes]
    return json.dumps({"server": title, "totals": totals(outcomes), "rules": rules}, indent=1)


def as_markdown(title, command, outcomes):
    lines = [f"# Conformance of {title}", "",
             f"Made by `{command}`; do not edit. docs/conformance.md tells how to read it.", "",
             "| | " + " | ".join(VERDICTS) + " |", "|---|" + "---|" * len(VERDICTS)]
    for name, some in [*sections(outcomes).items(), ("all", outcomes)]:
        counts = totals(some)
        lines.append(f"| {name} | " + " | ".join(str(counts[v]) for v in VERDICTS) + " |")
    for name, some in sections(outcomes).items():
        lines += ["", f"## {name}", "", "| verdict | level | rule | |", "|---|---|---|---|"]
        for o in some:
            verdict = f"**{o.verdict}**" if o.verdict == "fail" else o.verdict
            reason = o.reason.splitlines()[0] if o.reason and o.verdict != "pass" else ""
            tail = f"<br>*{escape(reason)}*" if reason else ""
            lines.append(f"| {verdict} | {o.rule.level} | {o.rule.source} | "
                         f"{escape(o.rule.title)}{tail} |")
    return "\n".join(lines) + "\n"


def escape(text):
    return text.replace("|", "\\|").replace("*", "\\*").replace("<", "&lt;")
