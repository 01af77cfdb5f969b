# SPDX-License-Identifier: Apache-2.0
"""Line plots as SVG: a logarithmic x axis, one line a series, its name at its end. Light and dark
follow the reader's settings."""

import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 860, 440
LEFT, RIGHT, TOP, BOTTOM = 64, 200, 46, 52
# Told apart by people who see colours differently, on white and on black.
COLOURS = ("#0077bb", "#ee7733", "#009988", "#cc3311", "#aa66cc", "#8c8c00", "#ee3377", "#777777")
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.title { font-size: 15px; font-weight: 600; }
.small { font-size: 12px; fill: #59636e; }
.paper { fill: #ffffff; }
.grid { stroke: #d1d9e0; stroke-width: 1; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc; }
  .small { fill: #9198a1; }
  .paper { fill: #0d1117; }
  .grid { stroke: #3d444d; }
}
"""


def short(n):
    for size, letter in ((1_000_000, " M"), (1_000, " k")):
        if n >= size:
            return f"{n / size:.3g}{letter}"
    return str(n)


def step(most):
    """Between the lines of the grid: five or so, at round numbers."""
    rough = most / 5
    power = 10 ** math.floor(math.log10(rough))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= rough)


def spread(wanted, gap, high):
    """Places of labels: close to where they are wanted, none over another, none below `high`."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    places = list(wanted)
    for above, i in zip(order, order[1:]):
        places[i] = max(places[i], places[above] + gap)
    for below, i in zip([None, *order[::-1]], order[::-1]):
        places[i] = min(places[i], high if below is None else places[below] - gap)
    return places


class Axes:
    """Numbers to places on the paper."""

    def __init__(self, series):
        xs = [x for points in series.values() for x, _ in points]
        self.most = max(y for points in series.values() for _, y in points) * 1.05
        self.first, self.last = math.log10(min(xs)), math.log10(max(xs))
        self.ticks = sorted(set(xs))

    def x(self, value):
        share = (math.log10(value) - self.first) / ((self.last - self.first) or 1)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, value):
        return HEIGHT - BOTTOM - value / self.most * (HEIGHT - TOP - BOTTOM)


def grid(axes):
    out, y, by = [], 0.0, step(axes.most)
    right, low = WIDTH - RIGHT, HEIGHT - BOTTOM
    while y <= axes.most:
        at = axes.y(y)
        out.append(f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{at:.1f}" y2="{at:.1f}"/>')
        out.append(f'<text class="small" x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{y:,.0f}</text>')
        y += by
    before = -math.inf
    for x in axes.ticks:
        at = axes.x(x)
        out.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{low}" y2="{low + 5}"/>')
        lower = 34 if at - before < 40 else 20  # two that are close stand one below the other
        before = at
        out.append(f'<text class="small" x="{at:.1f}" y="{low + lower}" text-anchor="middle">{short(x)}</text>')
    return out


def line(axes, name, points, colour):
    path = " ".join(f"{axes.x(x):.1f},{axes.y(y):.1f}" for x, y in points)
    out = [f'<polyline class="line" stroke="{colour}" points="{path}"/>']
    for x, y in points:
        out.append(
            f'<circle cx="{axes.x(x):.1f}" cy="{axes.y(y):.1f}" r="3.5" fill="{colour}">'
            f"<title>{escape(name)}: {y:,.0f} at {x:,}</title></circle>"
        )
    return out


def labels(axes, series):
    ends = [axes.y(points[-1][1]) for points in series.values()]
    out = []
    for (name, points), at, colour in zip(series.items(), spread(ends, 17, HEIGHT - BOTTOM), COLOURS):
        end = axes.y(points[-1][1])
        x = axes.x(points[-1][0])
        out.append(
            f'<line stroke="{colour}" stroke-width="1" opacity="0.6" x1="{x + 5:.1f}" y1="{end:.1f}"'
            f' x2="{WIDTH - RIGHT + 18}" y2="{at:.1f}"/>'
        )
        value = f"{points[-1][1]:,.0f}"
        out.append(f'<text x="{WIDTH - RIGHT + 22}" y="{at + 4:.1f}">{escape(name)} {value}</text>')
    return out


def plot(title, x_name, y_name, series):
    """The SVG of {name: [(x, y), ...]}, at most as many as there are colours."""
    series = {name: sorted(points) for name, points in list(series.items())[: len(COLOURS)] if points}
    axes = Axes(series)
    body = grid(axes)
    for (name, points), colour in zip(series.items(), COLOURS):
        body += line(axes, name, points, colour)
    body += labels(axes, series)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>{STYLE}</style>",
            f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}" rx="6"/>',
            f'<text class="title" x="{LEFT}" y="22">{escape(title)}</text>',
            f'<text class="small" x="{LEFT}" y="38">{escape(y_name)}</text>',
            f'<text class="small" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 4}" text-anchor="middle">'
            f"{escape(x_name)}</text>",
            *body,
            "</svg>",
            "",
        ]
    )
