# SPDX-License-Identifier: Apache-2.0
"""The peers: a UDP echo, miniupnpd, the kernel's router with and without nftables' NAT, posternd.

Each has a `wire`, and `pid`: whose CPU time counts.
"""

import json
import os
import pathlib
import signal
import subprocess
import time

from lab import GATEWAY, NEXT_HOP, PEER, SERVER, Failed, run, tool

PCP_PORT = 5351
ECHO_PORTS = {1: 7, 64: 64}
OUTSIDE = "198.51.100.2/24"
# miniupnpd refuses external addresses for documentation, so it gets one that looks public; it is
# seen in these namespaces alone.
PUBLIC = "44.0.0.2/24"
PORTS_EACH = 63  # mappings of one of the load's hosts, as in requests.h


def eventually(seconds, what):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.05)
    return False


def listens(wire, port):
    return bool(run("ip", "netns", "exec", wire.peer, "ss", "-Hlun", f"sport = :{port}").strip())


class Load:
    """bench-requests against one wire."""

    def __init__(self, wire, pid, window):
        self.wire, self.pid, self.window = wire, pid, window
        self.mac = wire.address_of(wire.peer, "lan")

    def ask(self, kind, to, **options):
        """What bench-requests says; at least one answer must have come."""
        words = ["ip", "netns", "exec", self.wire.load, *self.wire.lab.pinned(self.wire.lab.load_cpu),
                 str(tool("bench/bench-requests")), kind, "--in", "in", "--mac", self.mac, "--to", to,
                 "--core", str(self.wire.lab.peer_cpu), "--process", str(self.pid)]
        if kind == "packets":
            words += ["--out", "out"]
        for name, value in ({"window": self.window} | options).items():
            words += [f"--{name}"] if value is True else [f"--{name}", str(value)]
        result = json.loads(run(*words))
        if result["answers"] == 0 or result["refused"] > 0:
            raise Failed(f"{self.wire.name}: {kind}: {result}")
        return result


class Echo:
    def __init__(self, lab, wire, batch):
        self.name, self.port = "echo" if batch == 1 else f"echo-{batch}", ECHO_PORTS[batch]
        self.to = f"{SERVER}:{self.port}"
        log = f"{self.name}.log"
        words = [*lab.pinned(lab.peer_cpu), tool("bench/bench-echo"), "--batch", batch, self.port]
        self.pid = wire.start(*words, log=log).pid
        if not eventually(5, lambda: listens(wire, self.port)):
            raise Failed(f"bench-echo does not listen: {wire.last_words(log)}")
        self.load = Load(wire, self.pid, 192)

    def echo(self, seconds):
        return self.load.ask("echo", self.to, count=1000000, random=True, seconds=seconds)


# ---- miniupnpd -------------------------------------------------------------------------------

TABLES = """
table inet filter {
	chain forward {
		type filter hook forward priority 0; policy drop;
		ct state established,related accept
		iifname "lan" accept
		jump miniupnpd
	}
	chain miniupnpd { }
	chain prerouting {
		type nat hook prerouting priority -100; policy accept;
		jump prerouting_miniupnpd
	}
	chain postrouting {
		type nat hook postrouting priority 100; policy accept;
		jump postrouting_miniupnpd
		oifname "wan" masquerade
	}
	chain prerouting_miniupnpd { }
	chain postrouting_miniupnpd { }
}
"""

CONFIGURATION = """
ext_ifname=wan
listening_ip=lan
port=0
enable_natpmp=yes
enable_upnp=no
secure_mode=yes
min_lifetime=120
max_lifetime=86400
upnp_table_name=filter
upnp_nat_table_name=filter
upnp_forward_chain=miniupnpd
upnp_nat_chain=prerouting_miniupnpd
upnp_nat_postrouting_chain=postrouting_miniupnpd
lease_file={directory}/leases
uuid=00000000-0000-0000-0000-000000000000
allow 1-65535 100.64.0.0/10 1-65535
deny 0-65535 0.0.0.0/0 0-65535
"""


def endpoint(number):
    """Host and port of a mapping, as requests_frames.c has them."""
    host = 0x64400002 + number // PORTS_EACH
    return host, 1024 + number * 24203 % 64512


class Miniupnpd:
    PROGRAM = pathlib.Path("/usr/sbin/miniupnpd")
    name = "miniupnpd"
    fresh = 30000  # numbers from here on are for requests, those below for what is there already

    def __init__(self, lab, wire):
        self.wire = wire
        wire.give_addresses(PUBLIC)
        wire.nft(wire.peer, TABLES)
        conf, pid = lab.directory / "miniupnpd.conf", lab.directory / "miniupnpd.pid"
        conf.write_text(CONFIGURATION.format(directory=lab.directory), encoding="utf-8")
        wire.start(*lab.pinned(lab.peer_cpu), self.PROGRAM, "-f", conf, "-P", pid, log="miniupnpd.log")
        if not eventually(5, lambda: pid.exists() and pid.read_text() and listens(wire, PCP_PORT)):
            raise Failed(f"miniupnpd does not listen: {wire.last_words('miniupnpd.log')}")
        self.pid = int(pid.read_text(encoding="ascii"))
        self.load = Load(wire, self.pid, 8)
        self.present = 0

    def fill_by_requests(self, total):
        if total > self.present:
            self.ask(self.present, total - self.present)
        self.present = max(total, self.present)

    def fill_by_copies(self, total):
        """It keeps its mappings in nftables alone, and reads all of them for every request. These are
        rules like its own, without the hour that it would take to make them."""
        lines = []
        for number in range(self.present, total):
            host, port = endpoint(number)
            text = ".".join(str(host >> shift & 255) for shift in (24, 16, 8, 0))
            note = f'comment "PCP MAP 7070616d00676e69{number:08x}"'
            lines.append('add rule inet filter prerouting_miniupnpd iifname "wan" meta l4proto udp '
                         f"th dport {port} dnat ip to {text}:{port} {note}\n"
                         f'add rule inet filter miniupnpd iifname "wan" th dport {port} '
                         f"@nh,128,32 {host:#x} @nh,72,8 0x11 accept {note}\n")
        self.wire.nft(self.wire.peer, "".join(lines))
        self.present = max(total, self.present)

    def ask(self, first, count, **options):
        return self.load.ask("map", SERVER, first=first, count=count, timeout=60000, **options)


# ---- the kernel as a router ------------------------------------------------------------------


def kernel_threads(prefix):
    names = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            name = pathlib.Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
        except OSError:
            continue
        if name.startswith(prefix):
            names[int(pid)] = name
    return names


class Router:
    """Forwards, with nftables' source NAT or without. What comes in by `lan` is worked off by a
    kernel thread of its own, on the peer's CPU: otherwise the sender's CPU would do it."""

    def __init__(self, lab, wire, nat):
        self.name, self.wire = "nftables" if nat else "forwarding", wire
        wire.give_addresses(OUTSIDE)
        run("ip", "-n", wire.peer, "neighbour", "add", NEXT_HOP, "lladdr", wire.address_of(wire.load, "out"), "dev", "wan")
        run("ip", "-n", wire.peer, "route", "add", "default", "via", NEXT_HOP)
        self.pid = self.make_thread(lab, wire)
        if nat:
            self.make_nat(lab, wire)
        self.load = Load(wire, self.pid, 192)

    def make_thread(self, lab, wire):
        before = kernel_threads("napi/lan")
        run("ip", "netns", "exec", wire.peer, "ethtool", "-K", "lan", "gro", "on")
        run("ip", "netns", "exec", wire.peer, "sh", "-c", "echo 1 >/sys/class/net/lan/threaded")
        eventually(2, lambda: kernel_threads("napi/lan").keys() - before.keys())
        new = kernel_threads("napi/lan").keys() - before.keys()
        if len(new) != 1:
            raise Failed("this kernel gives a veth pair no thread (Linux 5.13 has them)")
        pid = new.pop()
        lab.hurry(pid, lab.peer_cpu)
        return pid

    def make_nat(self, lab, wire):
        wire.nft(wire.peer, "table ip nat {\n chain postrouting {\n"
                 "  type nat hook postrouting priority 100\n"
                 '  oifname "wan" snat to 203.0.113.1-203.0.113.64\n }\n}\n')
        # Both are the machine's: they go back to what they were.
        lab.change("/proc/sys/net/netfilter/nf_conntrack_max", 4000000)
        lab.change("/sys/module/nf_conntrack/parameters/hashsize", 2000000)
        for name in ("udp_timeout", "udp_timeout_stream"):
            wire.set(wire.peer, f"net.netfilter.nf_conntrack_{name}=3600")

    def packets(self, first, count, **options):
        return self.load.ask("packets", f"{PEER}:53", first=first, count=count, **options)


# ---- ours ------------------------------------------------------------------------------------

POSTERN = """
lcores: [{cpu}]
idle: poll
ports:
  inside:
    device: "{device}0,iface=lan{arguments}"
    addresses: [{server}/10]
    routes:
      - {{ to: 100.64.0.0/11, via: {gateway} }}
      - {{ to: 100.96.0.0/11, via: {gateway} }}
  outside: {{ device: "{device}1,iface=wan{arguments}", addresses: [{outside}], gateway: {next_hop} }}
limits:
  mappings: {mappings}
  leases: {mappings}
  subscribers: {subscribers}
  sessions: 1k
  external-addresses: 64
  new-subscriber-rate: 1000000000
  new-subscriber-burst: 1000000000
nat-groups:
  bench:
    subscribers: [100.64.0.0/10]
    external-address-pool: [203.0.113.0/26]
    port-set-size: 64
    pcp: {{ listen: [gateway], mappings-per-subscriber: 64, request-rate: 0 }}
control: {{ socket: {socket} }}
"""

# What each driver is told. qdisc_bypass: frames go straight to the device.
DEVICES = {"net_af_xdp": ",start_queue=0", "net_af_packet": ",qdisc_bypass=1"}
# Beside the tables: packet buffers and EAL. With 1.5 million leases the whole is about 700 MiB.
PAGES_MIB = 1024


class Postern:
    """posternd over AF_XDP or AF_PACKET; one worker, on the peer's CPU."""

    name = "postern"

    def __init__(self, lab, wire, device, mappings=1500000):
        self.lab, self.wire, self.device = lab, wire, device
        self.log = f"{wire.name}.log"
        self.huge_pages = lab.take_pages(PAGES_MIB)
        for side in ("lan", "wan"):
            wire.drop(wire.peer, side, "drop")
        self.socket = lab.directory / f"{wire.name}.sock"
        conf = lab.directory / f"{wire.name}.yaml"
        conf.write_text(POSTERN.format(
            cpu=lab.peer_cpu, device=device, arguments=DEVICES[device], server=SERVER, gateway=GATEWAY,
            outside=OUTSIDE, next_hop=NEXT_HOP, mappings=mappings, subscribers=mappings // PORTS_EACH * 2 + 1000,
            socket=self.socket), encoding="utf-8")
        self.process = wire.start(tool("src/main/posternd"), "-c", conf, log=self.log)
        self.pid = self.process.pid
        if not eventually(20, self.answers):
            self.end()
            raise Failed(f"posternd does not start on {device}: {wire.last_words(self.log)}")
        self.hurry_worker(lab)
        self.load = Load(wire, self.pid, 192)
        self.fresh = 10000000  # numbers from here on are of nobody yet

    def answers(self):
        if self.process.poll() is not None:
            return False
        words = [tool("src/cli/posternctl"), "--socket", self.socket, "show", "status"]
        return subprocess.run(words, capture_output=True, check=False).returncode == 0

    def hurry_worker(self, lab):
        for thread in os.listdir(f"/proc/{self.pid}/task"):
            name = pathlib.Path(f"/proc/{self.pid}/task/{thread}/comm").read_text(encoding="utf-8")
            if name.startswith("rte-worker"):
                lab.hurry(thread, lab.peer_cpu)

    def end(self):
        self.go_on()
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    # It polls: while others are measured it must stand still.
    def stand_still(self):
        if self.process.poll() is None:
            os.kill(self.pid, signal.SIGSTOP)

    def go_on(self):
        if self.process.poll() is None:
            os.kill(self.pid, signal.SIGCONT)

    def ask(self, first, count, **options):
        return self.load.ask("map", SERVER, first=first, count=count, **options)

    def packets(self, first, count, **options):
        return self.load.ask("packets", f"{PEER}:53", first=first, count=count, **options)
