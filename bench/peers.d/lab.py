# SPDX-License-Identifier: Apache-2.0
"""Network namespaces for bench/peers, each peer with veth pairs of its own:

    load (in, out) === lan [peer] wan         in == lan, out == wan: two veth pairs

`load` is a namespace, too, one for each peer. Whatever was changed is given back by a guard: a
process that waits for the end of this one, by whatever way it ends, and cleans up behind it.
"""

import fcntl
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("BUILD", TOP / "build")).resolve()
HUGE = pathlib.Path("/proc/sys/vm/nr_hugepages")
FREE = pathlib.Path("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages")
GATEWAY = "100.127.255.254"  # behind it are the load's hosts
SERVER = "100.64.0.1"
NEXT_HOP = "198.51.100.1"  # outside
PEER = "192.0.2.80"  # whom the hosts' packets are for


class Impossible(Exception):
    """This machine cannot play the peers."""


class Failed(Exception):
    """Something that should work did not."""


def run(*words, **more):
    """A command that must succeed; its output."""
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, check=False, **more)
    if done.returncode != 0:
        text = (done.stderr or done.stdout).strip()
        raise Failed(f"{' '.join(str(w) for w in words)}: status {done.returncode}: {text}")
    return done.stdout


def quietly(*words):
    return subprocess.run([str(w) for w in words], capture_output=True, text=True, check=False).stdout


def tool(name):
    path = BUILD / name
    if not path.exists():
        raise Failed(f"there is no {path}: build first, ninja -C {BUILD}; BUILD names another directory")
    return path


def warn(text):
    print(f"bench/peers: {text}", file=sys.stderr)


# ---- the guard -------------------------------------------------------------------------------


def namespaces(lab_id):
    names = [line.split()[0] for line in quietly("ip", "netns", "list").splitlines() if line.split()]
    return [name for name in names if name.startswith("pb-") and name.endswith(f"-{lab_id}")]


def pids_in(names):
    return [int(pid) for name in names for pid in quietly("ip", "netns", "pids", name).split()]


def send_all(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def end_processes(names):
    """A process that was stopped must go on to be able to end."""
    send_all(pids_in(names), signal.SIGTERM)
    send_all(pids_in(names), signal.SIGCONT)
    end = time.monotonic() + 5
    while pids_in(names) and time.monotonic() < end:
        time.sleep(0.1)
    send_all(pids_in(names), signal.SIGKILL)


def add_pages(count):
    """How many the kernel gave (or took: negative). Others may do the same at the same time."""
    lock = os.open("/run", os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = int(HUGE.read_text(encoding="ascii"))
        HUGE.write_text(f"{max(before + count, 0)}\n", encoding="ascii")
        return int(HUGE.read_text(encoding="ascii")) - before
    finally:
        os.close(lock)


def give_back(lab_id, directory):
    names = namespaces(lab_id)
    end_processes(names)
    for name in names:
        quietly("ip", "netns", "del", name)
    notes = directory / "changed"
    lines = notes.read_text(encoding="utf-8").splitlines() if notes.exists() else []
    for line in reversed(lines):
        path, value = line.split("\t")
        if path == "pages":
            add_pages(-int(value))
        else:
            pathlib.Path(path).write_text(value + "\n", encoding="utf-8")
    shutil.rmtree(directory, ignore_errors=True)


def start_guard(lab_id, directory):
    """The guard's pid, and the pipe that it hears our end by."""
    ear, mouth = os.pipe()
    pid = os.fork()
    if pid:
        os.close(ear)
        return pid, mouth
    os.setsid()
    os.close(mouth)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    try:
        os.read(ear, 1)
        give_back(lab_id, directory)
    finally:
        os._exit(0)


# ---- the lab ---------------------------------------------------------------------------------


class Lab:
    """Made with `with`; has two CPUs: one for the load, one for whoever is measured."""

    def __init__(self, realtime):
        if os.geteuid() != 0:
            raise Impossible("needs root: it makes network namespaces")
        for name in ("ip", "nft", "ethtool", "taskset", "chrt"):
            if shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") is None:
                raise Impossible(f"there is no {name}: tools/deps peers installs it")
        cpus = sorted(os.sched_getaffinity(0))
        if len(cpus) < 2:
            raise Impossible("needs two CPUs: one for the load, one for the peer")
        self.load_cpu, self.peer_cpu = cpus[0], cpus[1]
        self.realtime, self.warned = realtime, False
        self.id = os.getpid()
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="postern-peers-", dir="/run"))
        self.guard, self.mouth = start_guard(self.id, self.directory)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.mouth)
        os.waitpid(self.guard, 0)

    def note(self, what, value):
        with open(self.directory / "changed", "a", encoding="utf-8") as notes:
            notes.write(f"{what}\t{value}\n")

    def change(self, path, value):
        """A setting of the whole machine that goes back to what it was."""
        path = pathlib.Path(path)
        before = path.read_text(encoding="ascii").strip()
        if int(before) < value:
            self.note(path, before)
            path.write_text(f"{value}\n", encoding="ascii")

    def take_pages(self, mebibytes):
        """True when so much is free in pages of 2 MiB, asked for where it was not."""
        missing = mebibytes // 2 + 1 - int(FREE.read_text(encoding="ascii"))
        if missing > 0 and os.access(HUGE, os.W_OK):
            self.note("pages", add_pages(missing))
        enough = int(FREE.read_text(encoding="ascii")) >= mebibytes // 2
        if not enough and not self.warned:
            warn(f"there are no {mebibytes} MiB of 2 MiB pages: 4 KiB pages, cold lines cost nearly twice as much")
        self.warned |= not enough
        return enough

    def pinned(self, cpu):
        """What a command line begins with to run on that CPU."""
        words = ["taskset", "-c", str(cpu)]
        return [*words, "chrt", "-f", "5"] if self.realtime else words

    def hurry(self, pid, cpu):
        """The same for a thread that runs already."""
        run("taskset", "-cp", cpu, pid)
        if self.realtime:
            run("chrt", "-f", "-p", 5, pid)


class Wire:
    """A peer's namespace, and the load's beside it."""

    def __init__(self, lab, name):
        self.lab, self.name = lab, name
        self.peer, self.load = f"pb-{name}-{lab.id}", f"pb-load-{name}-{lab.id}"
        for space in (self.peer, self.load):
            run("ip", "netns", "add", space)
            run("ip", "-n", space, "link", "set", "lo", "up")
            self.set(space, "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
        for here, there in (("lan", "in"), ("wan", "out")):
            run("ip", "link", "add", here, "netns", self.peer, "type", "veth", "peer", "name", there, "netns", self.load)
            self.bring_up(self.peer, here)
            self.bring_up(self.load, there)
        run("ip", "-n", self.load, "address", "add", f"{GATEWAY}/10", "dev", "in")
        run("ip", "-n", self.load, "address", "add", f"{NEXT_HOP}/24", "dev", "out")
        for device in ("in", "out"):
            self.drop(self.load, device, "ip protocol udp drop")

    def bring_up(self, space, device):
        run("ip", "netns", "exec", space, "ethtool", "-K", device, "tx", "off")
        run("ip", "-n", space, "link", "set", device, "up")

    def set(self, space, *settings):
        for setting in settings:
            quietly("ip", "netns", "exec", space, "sysctl", "-qw", setting)

    def drop(self, space, device, what):
        """The kernel's own stack shall not look at what our rings have taken already."""
        table = f"bench_{device}"
        self.nft(
            space,
            f"table netdev {table} {{\n chain ingress {{\n"
            f"  type filter hook ingress device {device} priority 0\n  {what}\n }}\n}}\n",
        )

    def nft(self, space, text):
        run("ip", "netns", "exec", space, "nft", "-f", "-", input=text)

    def address_of(self, space, device):
        return run("ip", "netns", "exec", space, "cat", f"/sys/class/net/{device}/address").strip()

    def give_addresses(self, outside):
        """To a kernel. Whoever answers finds the load's hosts behind one neighbour, known beforehand."""
        ip = ("ip", "-n", self.peer)
        run(*ip, "address", "add", f"{SERVER}/10", "dev", "lan")
        run(*ip, "address", "add", outside, "dev", "wan")
        run(*ip, "neighbour", "add", GATEWAY, "lladdr", self.address_of(self.load, "in"), "dev", "lan")
        for half in ("100.64.0.0/11", "100.96.0.0/11"):
            run(*ip, "route", "add", half, "via", GATEWAY)
        self.set(self.peer, "net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.lan.rp_filter=0")

    def start(self, *words, log):
        """A server in the peer's namespace; it goes with the namespace."""
        with open(self.lab.directory / log, "w", encoding="utf-8") as out:
            return subprocess.Popen(
                ["ip", "netns", "exec", self.peer, *[str(w) for w in words]],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)

    def last_words(self, log):
        path = self.lab.directory / log
        return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-8:]) if path.exists() else ""

