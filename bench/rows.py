# SPDX-License-Identifier: Apache-2.0
"""Rows of the benchmarks, one JSON object a line, and the budgets they are held against.

A budget's name in bench/budgets.json is BENCH/OPERATION/MAPPINGS. A program that tells its rows apart
by more than that (a device, a table, a number of workers) has those values in between; they may be
left out, but for what of it is measured, or which part. A row without mappings has no number at the
end: worker/fill/step/16515072. The budget is the most that a figure may be, or {"least": x}; "aim"
beside it is what would be better still.
"""

import json
import pathlib

TOP = pathlib.Path(__file__).resolve().parent.parent
BUDGETS = TOP / "bench" / "budgets.json"
APART = ("device", "table", "what", "part", "peer", "workers", "act")


def read(lines):
    """The rows; what is not one JSON object with a bench is left out."""
    rows = []
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and "bench" in row:
            rows.append(row)
    return rows


def figure(row):
    """What is held against a budget; None: nothing is."""
    return row.get("value", row.get("cycles"))


def apart(row):
    """What tells a row from others of the same operation and size."""
    return [str(row[name]) for name in APART if name in row]


def number(x):
    """Three digits or more, no more than a reader can use."""
    if x is None:
        return ""
    if not isinstance(x, (int, float)) or isinstance(x, bool):
        return str(x)
    if isinstance(x, int) or abs(x) >= 100:
        return f"{x:,.0f}"
    return f"{x:.1f}" if abs(x) >= 10 else f"{x:.2f}" if abs(x) >= 0.1 or x == 0 else f"{x:.2g}"


class Budget:
    """One line of the file."""

    def __init__(self, name, value):
        self.name = name
        self.bench, *self.words = name.split("/")
        self.mappings = int(self.words.pop()) if self.words and self.words[-1].isdigit() else None
        self.operation = self.words.pop(0) if self.words else ""
        limits = value if isinstance(value, dict) else {"most": value}
        self.most, self.least, self.aim = (limits.get(k) for k in ("most", "least", "aim"))

    def concerns(self, row):
        """How many of the row's own values the name leaves open; None: another row."""
        if row["bench"] != self.bench or row.get("operation") != self.operation:
            return None
        if row.get("mappings") != self.mappings and self.mappings is not None:
            return None
        values = apart(row)
        if any(word not in values for word in self.words):
            return None
        if any(name in row and str(row[name]) not in self.words for name in ("what", "part")):
            return None
        return len(values) - len(self.words)

    def met(self, row):
        x = figure(row)
        return x <= self.most if self.most is not None else x >= self.least

    def text(self):
        limit = f"≤ {number(self.most)}" if self.most is not None else f"≥ {number(self.least)}"
        return limit + (f" (aim {number(self.aim)})" if self.aim is not None else "")


def budgets():
    return [Budget(name, value) for name, value in json.loads(BUDGETS.read_text(encoding="utf-8")).items()]


def judged(rows, all_budgets):
    """(budget, row) for each figure that a budget is for; row None where nothing was measured."""
    out = []
    for budget in all_budgets:
        near = [(budget.concerns(r), r) for r in rows if figure(r) is not None]
        near = [(open_values, r) for open_values, r in near if open_values is not None]
        least = min((open_values for open_values, _ in near), default=0)
        closest = [r for open_values, r in near if open_values == least]
        out += [(budget, r) for r in closest] or [(budget, None)]
    return out


def name(row):
    words = [row.get("operation", ""), *apart(row)]
    return "/".join(w for w in words if w)
