# SPDX-License-Identifier: Apache-2.0
"""What bench/peers asks of the peers, and the rows it makes of the answers.

Whoever is compared with another is measured in the same rounds, one after the other, and their ratio
is the median of the rounds' ratios. miniupnpd alone has rounds of its own: nobody waits for it.
"""

import json
import statistics
import subprocess
import sys

from lab import Failed, Wire, run, tool, warn
from servers import DEVICES, Echo, Miniupnpd, Postern, Router

FLOWS_FIRST = 20000000  # numbers of flows that are new


class Plan:
    """How much is asked: a whole run, or a quick one."""

    def __init__(self, quick):
        self.rounds = 3 if quick else 7
        self.seconds = 0.25 if quick else 0.5
        self.leases = (0, 1000, 100000) if quick else (0, 1000, 10000, 100000, 1000000)
        self.slow_leases = (0, 1000) if quick else (0, 1000, 10000)
        self.flows = (1000, 100000) if quick else (1000, 100000, 1000000)
        self.shard_runs = 3 if quick else 9
        self.most_new = 40000 if quick else 20000

    def slice(self, present):
        """New ones of a round: few beside those present."""
        return 1000 if present <= 1000 else 5000 if present <= 10000 else self.most_new

    def slow(self, present):
        """miniupnpd: requests of a round, and rounds."""
        few = {0: 20, 1000: 20}.get(present, 4)
        return few, min(self.rounds, 3 if present <= 1000 else 2)


class Report:
    """Rows as they come, and what is under way."""

    HEAD = f"{'operation':<40} {'peer':<14} {'mappings':>9} {'value':>13}  {'unit':<18} {'CPU us each':>11}"

    def __init__(self, as_json):
        self.as_json, self.rows = as_json, []
        self.clears = sys.stderr.isatty()
        if not as_json:
            print(self.HEAD, flush=True)

    def doing(self, text):
        if self.clears:
            print(f"\r\033[Kbench/peers: {text}", end="", file=sys.stderr, flush=True)

    def done(self):
        if self.clears:
            print("\r\033[K", end="", file=sys.stderr, flush=True)

    def row(self, operation, value, unit, **more):
        row = {"bench": "peers", "operation": operation} | more | {"value": value, "unit": unit}
        self.rows.append(row)
        self.done()
        print(json.dumps(row) if self.as_json else self.line(row), flush=True)

    @staticmethod
    def line(row):
        value = f"{row['value']:,.0f}" if row["value"] >= 1000 else f"{row['value']:,.2f}"
        cpu = f"{row['cpu_us']:,.2f}" if "cpu_us" in row else ""
        who = row.get("peer", "") + (f" {row['device'][4:]}" if "device" in row else "")
        mappings = f"{row['mappings']:,}" if "mappings" in row else ""
        return f"{row['operation']:<40} {who:<14} {mappings:>9} {value:>13}  {row['unit']:<18} {cpu:>11}".rstrip()


class Samples:
    """What bench-requests said about one operation of one peer, a round each."""

    def __init__(self):
        self.list = []

    def add(self, result):
        self.list.append(result)

    def rates(self):
        return [r["per_second"] for r in self.list]

    def rate(self):
        return statistics.median(self.rates())

    def sum(self, name):
        return sum(r[name] for r in self.list)

    def cpu_us(self):
        """Of one; None when all was too short for the clock of CPU time, which ticks."""
        return self.sum("process_s") / self.sum("answers") * 1e6 if self.sum("seconds") > 0.1 else None

    def cycles(self):
        """CPU time of one, in cycles of the time stamp counter; None likewise."""
        us = self.cpu_us()
        return us and us * 1e-6 * statistics.median(r["tsc_per_second"] for r in self.list)


def tell(report, operation, samples, **more):
    cpu = {}
    if samples.cpu_us() is not None:
        cpu = {"cpu_us": round(samples.cpu_us(), 3), "cpu_cycles": round(samples.cycles())}
    report.row(operation, round(samples.rate(), 1), "a second", runs=len(samples.list),
               resent=samples.sum("resent"), **more, **cpu)


def tell_ratio(report, operation, ours, theirs, **more):
    """Rates of the same rounds."""
    value = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    report.row(operation, round(value, 3), "times", **more)


def tell_far_ratio(report, operation, ours, theirs, **more):
    """Rates of different rounds."""
    report.row(operation, round(statistics.median(ours) / statistics.median(theirs), 3), "times", **more)


# ---- PCP -------------------------------------------------------------------------------------


class Leases:
    """PCP MAP: create, renew and delete with so many mappings present; the echo beside it."""

    def __init__(self, lab, report, plan):
        self.lab, self.report, self.plan = lab, report, plan
        wire = Wire(lab, "echo")
        wire.give_addresses("198.51.100.2/24")
        self.echoes = [Echo(lab, wire, batch) for batch in (1, 64)]
        self.wire = Wire(lab, "postern")
        self.ours = {}  # (operation, present): Samples
        self.by_echo = {}  # (operation, present): rates by those of the echo in the same rounds
        self.best_echo = None

    def run(self):
        device = self.choose_device()
        for present in self.plan.leases:
            self.level(device, present)
        self.tell_flatness()
        slow = self.miniupnpd()
        for (operation, present), samples in slow.items():
            ours = self.ours.get((operation, present)) or self.ours[operation, self.plan.leases[-1]]
            tell_far_ratio(self.report, f"{operation}-times-miniupnpd", ours.rates(), samples.rates(), mappings=present)
        return device

    def round(self, server, present, first, count):
        """One of each: the new ones are gone behind it."""
        results = {"pcp-create": server.ask(first, count)}
        few = {"first": first, "count": count}
        if isinstance(server, Postern):
            among = {"first": 0, "count": present} if present else few
            results["pcp-renew"] = server.ask(**among, random=True, seconds=self.plan.seconds)
        else:
            results["pcp-renew"] = server.ask(**few)
        results["pcp-delete"] = server.ask(**few, lifetime=0)
        return results

    def echo(self, samples):
        for echo in self.echoes:
            samples.setdefault(echo.name, Samples()).add(echo.echo(self.plan.seconds))

    def choose_device(self):
        """The driver that answers more renewals of 1000 leases; all of them in the same rounds."""
        servers, samples = self.start_devices(), {}
        for server in servers:
            server.go_on()
            server.ask(0, 1000)
            server.stand_still()
        for _ in range(self.plan.rounds):
            for server in servers:
                self.report.doing(f"posternd on {server.device}")
                server.go_on()
                result = server.ask(0, 1000, random=True, seconds=self.plan.seconds)
                server.stand_still()
                samples.setdefault(server.device, Samples()).add(result)
        for server in servers:
            server.end()
        for device, list_ in samples.items():
            tell(self.report, "pcp-renew-by-device", list_, peer="postern", device=device, mappings=1000)
        return max(samples, key=lambda device: samples[device].rate())

    def start_devices(self):
        servers = []
        for device in DEVICES:
            self.report.doing(f"posternd on {device}")
            try:
                servers.append(Postern(self.lab, Wire(self.lab, device[4:]), device, mappings=100000))
                servers[-1].stand_still()
            except Failed as why:
                warn(f"{why}")
        if not servers:
            raise Failed("posternd starts on no device")
        return servers

    def level(self, device, present):
        server = Postern(self.lab, self.wire, device)
        echoes, count = {}, self.plan.slice(present)
        if present:
            self.report.doing(f"posternd: {present:,} leases")
            server.ask(0, present)
        for turn in range(self.plan.rounds):
            self.report.doing(f"PCP with {present:,} leases, round {turn + 1} of {self.plan.rounds}")
            server.stand_still()
            self.echo(echoes)
            server.go_on()
            for operation, result in self.round(server, present, server.fresh, count).items():
                self.ours.setdefault((operation, present), Samples()).add(result)
            server.fresh += count
        server.end()
        self.tell_level(device, present, echoes)

    def tell_level(self, device, present, echoes):
        for name, samples in echoes.items():
            tell(self.report, "echo", samples, peer=name, mappings=present)
        self.best_echo = max(echoes.values(), key=Samples.rate)
        for operation in ("pcp-create", "pcp-renew", "pcp-delete"):
            tell(self.report, operation, self.ours[operation, present], peer="postern", device=device, mappings=present)
        for operation in ("pcp-create", "pcp-renew"):
            rates = self.ours[operation, present].rates()
            self.by_echo[operation, present] = [a / b for a, b in zip(rates, echoes["echo"].rates())]
            for name, samples in echoes.items():
                tell_ratio(self.report, f"{operation}-times-{name}", rates, samples.rates(), mappings=present)

    def tell_flatness(self):
        """Of the rate with the fewest leases, what is left with the most; by_echo: the same after
        both were divided by the echo of their own rounds, for the machine may change between."""
        few, many = self.plan.leases[0], self.plan.leases[-1]
        for operation in ("pcp-create", "pcp-renew"):
            kept = statistics.median(self.by_echo[operation, many]) / statistics.median(self.by_echo[operation, few])
            tell_far_ratio(self.report, f"{operation}-kept", self.ours[operation, many].rates(),
                           self.ours[operation, few].rates(), mappings=many, by_echo=round(kept, 3))

    def miniupnpd(self):
        if not Miniupnpd.PROGRAM.exists():
            warn("skipped: miniupnpd is not installed; tools/deps peers installs it")
            return {}
        server, slow = Miniupnpd(self.lab, Wire(self.lab, "miniupnpd")), {}
        for present in self.plan.slow_leases:
            self.report.doing(f"miniupnpd: {present:,} mappings")
            filled = "by requests" if present <= 1000 else "1000 by requests, the rest as copies of their rules"
            server.fill_by_requests(min(present, 1000))
            if present > server.present:
                server.fill_by_copies(present)
            count, rounds = self.plan.slow(present)
            for turn in range(rounds):
                self.report.doing(f"miniupnpd with {present:,} mappings, round {turn + 1} of {rounds}")
                for operation, result in self.round(server, present, server.fresh, count).items():
                    slow.setdefault((operation, present), Samples()).add(result)
            for operation in ("pcp-create", "pcp-renew", "pcp-delete"):
                tell(self.report, operation, slow[operation, present], peer="miniupnpd", mappings=present, filled=filled)
        return slow


# ---- packets ---------------------------------------------------------------------------------


class Packets:
    """64-octet UDP from inside: known flows, and new ones, with so many present."""

    def __init__(self, lab, report, plan, device):
        self.lab, self.report, self.plan = lab, report, plan
        self.kernel = {nat: Router(lab, Wire(lab, "nftables" if nat else "forwarding"), nat) for nat in (False, True)}
        self.postern = self.start_postern(device)
        self.fresh = FLOWS_FIRST
        self.nftables = {}  # operation: Samples of the largest level

    def start_postern(self, device):
        wire = Wire(self.lab, "flows")
        for name in [device] if device else list(DEVICES):
            try:
                return Postern(self.lab, wire, name)
            except Failed as why:
                warn(f"{why}")
        raise Failed("posternd starts on no device")

    def run(self):
        self.meet()
        for present in self.plan.flows:
            self.level(present)
        self.postern.end()

    def meet(self):
        """Neighbours get to know each other before anything counts."""
        self.postern.packets(0, 10, window=1)

    def level(self, present):
        servers, samples = [*self.kernel.values(), self.postern], {}
        for server in servers:
            self.report.doing(f"{server.name}: {present:,} flows")
            self.alone(server, lambda s=server: s.packets(0, present))
        for turn in range(self.plan.rounds):
            self.report.doing(f"packets of {present:,} flows, round {turn + 1} of {self.plan.rounds}")
            count = self.plan.slice(present)
            for server in servers:
                key = server.name
                new = self.alone(server, lambda s=server: s.packets(self.fresh, count))
                known = self.alone(server, lambda s=server: s.packets(
                    0, present, random=True, seconds=self.plan.seconds))
                samples.setdefault((key, "new-flows"), Samples()).add(new)
                samples.setdefault((key, "packets"), Samples()).add(known)
            self.fresh += count
        self.tell_level(present, samples)

    def alone(self, server, what):
        if server is self.postern:
            self.postern.go_on()
            result = what()
        else:
            self.postern.stand_still()
            result = what()
        return result

    def tell_level(self, present, samples):
        for (name, operation), list_ in samples.items():
            more = {"device": self.postern.device} if name == "postern" else {}
            if (name, operation) != ("forwarding", "new-flows"):  # it has no flows
                tell(self.report, operation, list_, peer=name, mappings=present, **more)
        for operation in ("new-flows", "packets"):
            tell_ratio(self.report, f"{operation}-times-nftables", samples["postern", operation].rates(),
                       samples["nftables", operation].rates(), mappings=present)
            self.nftables[operation] = samples["nftables", operation]


# ---- in process ------------------------------------------------------------------------------

SHARD = ("pcp-map-create", "pcp-map-renew", "implicit-create", "in2out-hit")


def shard_cycles(lab, plan, mappings):
    """Cycles at the shard's door, of bench-shard: {operation: median}."""
    lab.take_pages(1024)
    words = [*lab.pinned(lab.peer_cpu), tool("bench/bench-shard"), "--json", "--only", ",".join(SHARD),
             "--sizes", mappings, "--runs", plan.shard_runs, "--packets", 200000]
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, check=False)
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    cycles = {r["operation"]: r["cycles"] for r in rows if r.get("cycles") and "part" not in r}
    missing = [name for name in SHARD if name not in cycles]
    if missing:
        raise Failed(f"bench-shard has not told {', '.join(missing)}: status {done.returncode}: {done.stderr.strip()}")
    return cycles


def tell_in_process(lab, report, plan, echo, nftables):
    """What a core could do without the veth pair: our cycles at the shard's door, against all that a
    peer's core spends on one."""
    theirs = []
    mappings = (plan.flows if nftables else plan.leases)[-1]
    if echo:
        theirs += [("pcp-map-create", "echo", echo), ("pcp-map-renew", "echo", echo)]
    if nftables:
        theirs += [("implicit-create", "nftables", nftables["new-flows"]), ("in2out-hit", "nftables", nftables["packets"])]
    report.doing(f"bench-shard with {mappings:,} mappings")
    ours = shard_cycles(lab, plan, mappings)
    for operation, name, samples in theirs:
        if samples.cycles() is None:
            warn(f"{name} was through too soon to tell its CPU time; a whole run tells it")
            continue
        report.row(f"in-process-{operation}-times-{name}", round(samples.cycles() / ours[operation], 2), "times",
                   mappings=mappings, ours_cycles=round(ours[operation], 1), theirs_cycles=round(samples.cycles()),
                   note="ours in process, at the shard's door, net of the null pipeline; theirs: CPU time over the veth")
