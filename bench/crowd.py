# SPDX-License-Identifier: Apache-2.0
"""What bench-crowd's rows become: a table with a column for each act, and one plot of requests over
time with a panel for each act. bench/report makes both; for the plot alone:

    bench-crowd --json | python3 bench/crowd.py > crowd.svg
"""

import sys
from xml.sax.saxutils import escape

import plot
import rows as figures

WIDTH, PANEL, LEFT, RIGHT, TOP, BOTTOM = 860, 270, 84, 64, 62, 44
BEFORE_S = 2  # seconds shown in front of the loss
MORE = """
.dashed { fill: none; stroke: #cc3311; stroke-width: 1.5; stroke-dasharray: 6 4; }
.area { fill: #009988; opacity: 0.13; }
"""


def seconds_of(rows):
    """{act: its seconds, in order}."""
    acts = {}
    for r in rows:
        if r["bench"] == "crowd" and r["operation"] == "second":
            acts.setdefault(r["act"], []).append(r)
    return {act: sorted(s, key=lambda r: r["second"]) for act, s in acts.items()}


def without_seconds(rows):
    return [r for r in rows if r["operation"] != "second"]


def table_of(rows):
    """(head, lines): what came of each act."""
    rows = without_seconds(rows)
    acts = list(dict.fromkeys(r["act"] for r in rows))
    by = {(r["operation"], r["act"]): r for r in rows}
    lines = []
    for operation in dict.fromkeys(r["operation"] for r in rows):
        found = [by.get((operation, act)) for act in acts]
        unit = next(r["unit"] for r in found if r)
        lines.append([operation, unit, *(figures.number(r["value"]) if r else "" for r in found)])
    return ["figure", "unit", *acts], lines


# ---- the plot ----------------------------------------------------------------------------------


def paced(second):
    return second["first"] + second["renewals"] + second["again"]


class Panel:
    """Places of one act's seconds on the paper."""

    def __init__(self, act, seconds, clients, top):
        self.act, self.clients, self.top = act, clients, top
        self.seconds = [s for s in seconds if s["second"] >= -BEFORE_S]
        self.first, self.last = self.seconds[0]["second"], self.seconds[-1]["second"] + 1
        self.most = 1.12 * max(max(paced(s), s["bound"]) for s in self.after())
        self.low = top + PANEL - BOTTOM

    def after(self):
        return [s for s in self.seconds if s["second"] >= 0]

    def x(self, second):
        return LEFT + (second - self.first) / (self.last - self.first) * (WIDTH - LEFT - RIGHT)

    def y(self, rate):
        return self.low - rate / self.most * (PANEL - TOP - BOTTOM)

    def share(self, whole):
        return self.y(whole / self.clients * self.most / 1.12)

    def stairs(self, value, seconds):
        """A second's figure holds for all of it."""
        return " ".join(
            f"{self.x(s['second']):.1f},{value(s):.1f} {self.x(s['second'] + 1):.1f},{value(s):.1f}" for s in seconds
        )


def says(panel):
    unpaced = max(s["unpaced"] for s in panel.after())
    largest = max(paced(s) for s in panel.after())
    text = f"most in a second: {largest:,}, bound {max(s['bound'] for s in panel.after()):,}"
    if unpaced:
        text += f"; beside them, not drawn, up to {unpaced:,} of clients that know no pacing"
    return text


def grid(panel):
    out, rate, by = [], 0.0, plot.step(panel.most)
    right = WIDTH - RIGHT
    while rate <= panel.most:
        at = panel.y(rate)
        out.append(f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{at:.1f}" y2="{at:.1f}"/>')
        out.append(f'<text class="small" x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{rate:,.0f}</text>')
        rate += by
    for share in (0, 50, 100):
        at = panel.share(share / 100 * panel.clients)
        out.append(f'<text class="small" x="{right + 8}" y="{at + 4:.1f}">{share} %</text>')
    by = plot.step(panel.last)
    for second in range(0, panel.last + 1, max(1, round(by))):
        at = panel.x(second)
        out.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{panel.low}" y2="{panel.low + 5}"/>')
        out.append(f'<text class="small" x="{at:.1f}" y="{panel.low + 19}" text-anchor="middle">{second}</text>')
    return out


def draw_panel(panel):
    after = panel.after()
    area = panel.stairs(lambda s: panel.share(s["whole"]), after)
    return [
        f'<text class="title" x="{LEFT}" y="{panel.top + 24}">{escape(panel.act)}</text>',
        f'<text class="small" x="{LEFT}" y="{panel.top + 42}">{escape(says(panel))}</text>',
        *grid(panel),
        f'<polygon class="area" points="{panel.x(0):.1f},{panel.low} {area} {panel.x(panel.last):.1f},{panel.low}"/>',
        f'<polyline class="dashed" points="{panel.stairs(lambda s: panel.y(s["bound"]), after)}"/>',
        f'<polyline class="line" stroke="{plot.COLOURS[0]}"'
        f' points="{panel.stairs(lambda s: panel.y(paced(s)), panel.seconds)}"/>',
    ]


def svg(rows):
    """None when there are no seconds."""
    acts = seconds_of(rows)
    if not acts:
        return None
    clients = max(s["whole"] for seconds in acts.values() for s in seconds)
    height = 40 + PANEL * len(acts) + 10
    body = []
    for i, (act, seconds) in enumerate(acts.items()):
        body += draw_panel(Panel(act, seconds, clients, 40 + i * PANEL))
    title = f"{clients:,} clients lose their server's state"
    legend = "line: requests a second; dashed: bound; area: clients that are whole; below: seconds since the loss"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>{plot.STYLE}{MORE}</style>",
            f'<rect class="paper" width="{WIDTH}" height="{height}" rx="6"/>',
            f'<text class="title" x="{LEFT}" y="24">{escape(title)}</text>',
            f'<text class="small" x="{LEFT}" y="42">{escape(legend)}</text>',
            *body,
            "</svg>",
            "",
        ]
    )


def main():
    drawn = svg(figures.read(sys.stdin))
    if drawn is None:
        print("crowd.py: no seconds among the rows; bench-crowd --json writes them", file=sys.stderr)
        return 1
    print(drawn, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
