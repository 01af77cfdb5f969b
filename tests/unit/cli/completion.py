#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What TAB offers, what --help prints and what the manual page explains are the same.

usage: completion.py PCPC POSTERNCTL PCPC_PAGE POSTERNCTL_PAGE BASH_FILE ZSH_FILE
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

PCPC, POSTERNCTL, PCPC_PAGE, POSTERNCTL_PAGE, BASH, ZSH = map(os.path.abspath, sys.argv[1:])


def said(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True,
                          **more).stdout


def offered(program, *words):
    environment = {**os.environ, "POSTERN_SOCKET": "/nonexistent"}
    return said(program, "--complete", *words, env=environment).split()


def options_of_help(program):
    """-k, --keep at the beginning of a line; both names count."""
    found = set()
    for line in said(program, "--help").splitlines():
        match = re.match(r"  +(-\w), (--[a-z0-9-]+)|  +(--[a-z0-9-]+)", line)
        if match:
            found |= {name for name in match.groups() if name}
    return found


def options_of_page(path):
    """Those that have a paragraph of their own: the line behind .TP."""
    with open(path, encoding="utf-8") as file:
        lines = file.read().replace("\\-", "-").splitlines()
    found = set()
    for before, line in zip(lines, lines[1:]):
        if before == ".TP" and re.match(r'\.\w+ "?-', line):
            found |= set(re.findall(r"(?<![\w-])-\w\b|--[a-z][a-z0-9-]*", line.split('" \\')[0]))
    return found


def same(what, one, other):
    assert set(one) == set(other), "%s: only the first has %s, only the second %s" % (
        what, sorted(set(one) - set(other)), sorted(set(other) - set(one)))
    assert len(one) == len(set(one)), what


def commands_of_help():
    text = said(PCPC, "--help").split("\n\n")
    block = next(part for part in text if part.startswith("  announce"))
    return re.findall(r"^  (\w+) ", block, re.MULTILINE)


def test_options_of_pcpc():
    printed = options_of_help(PCPC)
    assert {"--keep", "-k", "--server", "-V", "--expect"} <= printed, printed
    same("options: --help, TAB", printed, offered(PCPC, "-"))
    same("options: --help, manual page", printed, options_of_page(PCPC_PAGE))
    for option in offered(PCPC, "--"):
        done = subprocess.run([PCPC, option], capture_output=True, text=True, timeout=30,
                              check=False)
        assert "unrecognized" not in done.stderr, option


def test_commands_of_pcpc():
    printed = commands_of_help()
    assert "map" in printed and "probe" in printed, printed
    same("commands: --help, TAB", printed, offered(PCPC, ""))
    with open(PCPC_PAGE, encoding="utf-8") as file:
        page = file.read().split(".SH DESCRIPTION")[1].split(".SH ")[0]
    same("commands: --help, manual page", printed, re.findall(r"\n\.TP\n\.BR? (\w+)", page))


def test_exit_codes_of_pcpc():
    text = said(PCPC, "--help").split("Exit status:")[1]
    with open(PCPC_PAGE, encoding="utf-8") as file:
        page = file.read().split(".SH EXIT STATUS")[1].split(".SH ")[0]
    same("exit codes", re.findall(r"(?:^|, |,\n)\s*(\d+) ?\n?", text),
         re.findall(r"\.TP\n\.B (\d+)", page))


def test_what_follows_in_pcpc():
    assert offered(PCPC, "map", "") == ["tcp", "udp", "all"]
    assert offered(PCPC, "-k", "--lifetime", "1h", "map", "tcp", "") == ["all"]
    assert offered(PCPC, "map", "tcp", "80", "") == []
    assert offered(PCPC, "announce", "") == []
    assert offered(PCPC, "--prefer", "") == ["4", "6"]
    assert offered(PCPC, "--prefer=") == ["--prefer=4", "--prefer=6"]
    assert offered(PCPC, "--version", "nat") == ["nat-pmp"]
    assert offered(PCPC, "-v", "nat-pmp", "m") == ["map"]
    assert offered(PCPC, "probe", "map", "tcp", "1", "--expect", "NO_R") == ["NO_RESOURCES"]
    assert offered(PCPC, "--config", "x") == [":files"]
    assert "watch" not in offered(PCPC, "probe", "")
    assert offered(PCPC, "nonsense", "") == offered(PCPC) * 0


def test_posternctl():
    printed = options_of_help(POSTERNCTL)
    same("options: --help, TAB", printed, offered(POSTERNCTL, "-"))
    same("options: --help, manual page", printed, options_of_page(POSTERNCTL_PAGE))
    block = said(POSTERNCTL, "--help").split("\n\n")[1]
    pairs = re.findall(r"^  ([a-z]+) ([a-z-]+)", block, re.MULTILINE)
    verbs = {verb for verb, _ in pairs}
    same("verbs: --help, TAB", verbs | {"shell"}, offered(POSTERNCTL, ""))
    for verb in verbs:
        same(verb, {what for v, what in pairs if v == verb}, offered(POSTERNCTL, verb, ""))
    assert offered(POSTERNCTL, "--json", "show", "mappi") == ["mappings"]
    assert offered(POSTERNCTL, "-s", "") == [":files"]


def typed(line, folder):
    """What bash would put behind the cursor at the end of `line`."""
    script = """
        source "$1"
        COMP_LINE=$2 COMP_POINT=${#2}
        "$(complete -p "${2%% *}" | sed 's/.*-F \\([^ ]*\\).*/\\1/')" "${2%% *}"
        [[ ${#COMPREPLY[@]} -eq 0 ]] || printf '%s\\n' "${COMPREPLY[@]}"
    """
    path = os.pathsep.join((os.path.dirname(PCPC), os.path.dirname(POSTERNCTL), os.environ["PATH"]))
    return said("bash", "-c", script, "bash", BASH, line, cwd=folder,
                env={"PATH": path, "POSTERN_SOCKET": "/nonexistent"}).split()


def test_bash():
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "wanted.yaml"), "w", encoding="ascii"):
            pass
        for line, wanted in (("pcpc ma", ["map"]), ("pcpc map ", ["tcp", "udp", "all"]),
                             ("pcpc --prefer=", ["4", "6"]), ("pcpc --state wan", ["wanted.yaml"]),
                             ("pcpc --config=wan", ["wanted.yaml"]),
                             ("pcpc -s 192.0.2.1:5351 ann", ["announce"]),
                             ("pcpc peer tcp 80 192.0.2.1:", []),
                             ("posternctl show mappi", ["mappings"]),
                             ("posternctl config check wan", ["wanted.yaml"])):
            assert typed(line, folder) == wanted, (line, typed(line, folder))


def typed_in_zsh(*words):
    """What the file would add for these words of a line; zsh's own functions are played here."""
    script = """
        compadd() { while [[ $1 == -* && $1 != -- ]] { [[ $1 == -S ]] && shift; shift }
            shift; (( $# == 0 )) || print -l -- "$@" }
        _call_program() { shift; eval "$@" }
        compset() { PREFIX=${PREFIX#*=} }
        _files() { print -l -- $PREFIX*(N) }
        file=$1
        shift
        words=("$@") CURRENT=$# PREFIX=$words[-1]
        source $file
    """
    environment = {**os.environ, "POSTERN_SOCKET": "/nonexistent"}
    return said("zsh", "-f", "-c", script, "zsh", ZSH, *words, env=environment,
                cwd=os.path.dirname(ZSH)).split()


def test_zsh():
    if not shutil.which("zsh"):
        print("  skipped: zsh is not installed")
        return
    for words, wanted in (((PCPC, "anno"), ["announce"]), ((PCPC, "map", ""), ["tcp", "udp", "all"]),
                          ((PCPC, "--prefer="), ["--prefer=4", "--prefer=6"]),
                          ((PCPC, "map", "tcp", "80", ""), []),
                          ((PCPC, "--state", "_post"), ["_postern"]),
                          ((PCPC, "--state=_post"), ["_postern"]),
                          ((POSTERNCTL, "show", "mappi"), ["mappings"])):
        assert typed_in_zsh(*words) == wanted, (words, typed_in_zsh(*words))


def main():
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            test()
            print("passed", name)


main()
