#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Installs the build into an empty folder and uses it as another project would: programs, pages and
units are where they belong, and the library's example is built by what pkg-config says.

usage: install.py BUILD PREFIX SOURCE DAEMON LINK     DAEMON, LINK: empty when not to be looked at
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

BUILD, PREFIX, SOURCE, DAEMON, LINK = sys.argv[1:6]


def run(*command, **options):
    done = subprocess.run(command, text=True, capture_output=True, check=False, **options)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.root = pathlib.Path(cls.folder.name)
        run("meson", "install", "--no-rebuild", "-C", BUILD, "--destdir", str(cls.root))
        cls.top = cls.root / PREFIX.lstrip("/")
        cls.pages = {p.name for p in cls.top.glob("share/man/man*/*")}
        cls.programs = {p.name for p in cls.top.glob("*bin/*")}

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_every_program_is_there_and_has_a_page(self):
        wanted = {"pcpc", "pcpcd", "posternctl"} | ({"posternd"} if DAEMON else set())
        self.assertEqual(self.programs, wanted)
        for program in wanted:
            self.assertTrue(any(p.startswith(program + ".") for p in self.pages), program)

    def test_a_unit_starts_what_was_installed(self):
        units = list(self.top.glob("lib/systemd/system/*.service"))
        self.assertEqual({u.name for u in units},
                         {"pcpcd.service"} | ({"postern.service"} if DAEMON else set()))
        for unit in units:
            started = re.findall(r"^Exec\w+=(/\S+)", unit.read_text(encoding="utf-8"), re.M)
            ours = [s for s in started if s.startswith(PREFIX)]
            # RestartPreventExitStatus= looks at ExecStart alone: a wrong file would start for ever.
            self.assertNotIn("ExecStartPre", unit.read_text(encoding="utf-8"))
            self.assertTrue(ours, unit.name)
            for program in ours:
                self.assertTrue(os.access(self.root / program.lstrip("/"), os.X_OK), program)

    def test_the_examples_are_right(self):
        folder = self.top / "share/doc/postern/examples"
        programs = {"pcpcd.yaml": [self.top / "sbin/pcpcd", "--check"]}
        if DAEMON:
            programs |= {n: [self.top / "sbin/posternd", "--check", "-c"]
                         for n in ("minimal.yaml", "postern.yaml")}
        for name, command in programs.items():
            run(*map(str, command), str(folder / name))

    @unittest.skipUnless(LINK, "a sanitized library wants a sanitized program")
    def test_another_project_builds_the_example_with_pkg_config(self):
        library = next(self.top.glob("lib/**/libpostern-client.so.0"))
        environment = os.environ | {
            "PKG_CONFIG_LIBDIR": str(library.parent / "pkgconfig"),
            "PKG_CONFIG_SYSROOT_DIR": str(self.root)}
        flags = run("pkg-config", "--cflags", "--libs", "postern-client", env=environment).split()
        example, program = f"{SOURCE}/docs/client/keep-port.c", str(self.root / "keep-port")
        run("cc", "-Wall", "-Werror", example, *flags, "-o", program)
        needed = run("readelf", "-d", program)
        self.assertIn("[libpostern-client.so.0]", needed)
        said = subprocess.run([program], env={"LD_LIBRARY_PATH": str(library.parent)}, text=True,
                              capture_output=True, check=False)
        self.assertIn("usage", (said.stdout + said.stderr).lower())

    @unittest.skipUnless(LINK, "a sanitized library wants a sanitized program")
    def test_the_static_library_is_enough_too_and_the_header_is_for_cpp_as_well(self):
        library = next(self.top.glob("lib/**/libpostern-client.a"))
        program = str(self.root / "static")
        run("cc", f"{SOURCE}/docs/client/keep-port.c", f"-I{self.top}/include", str(library), "-o",
            program)
        run("cc", "-std=c99", "-pedantic", "-Wall", "-Werror", "-fsyntax-only", "-x", "c",
            str(self.top / "include/postern/client.h"))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
