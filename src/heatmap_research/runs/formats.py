"""A table's rows as text: for people, for a paper, for other programs."""

import csv
import io
import json
import re
from collections.abc import Sequence
from typing import Any

from heatmap_research.runs.table import MeanOfRuns, Row


def words(value: Any, name: str = "", plus_minus: str = " ± ") -> str:
    """A cell for people to read: metrics to three places, thousands with commas."""
    if value is None:
        return "n/a"
    if isinstance(value, MeanOfRuns):
        mean = words(value.mean, name)
        if value.deviation is None:
            return mean
        return f"{mean}{plus_minus}{words(value.deviation, name)}"
    if isinstance(value, float):
        return f"{value:{'.3f' if '/' in name else '.1f' if name == 'seconds' else 'g'}}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def as_csv(rows: Sequence[Row]) -> str:
    """A mean has its standard deviation in a column beside it."""
    flat = [_flat(row) for row in rows]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in flat for name in row)))
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue()


def as_json(rows: Sequence[Row]) -> str:
    return json.dumps([_flat(row) for row in rows], indent=1, default=str) + "\n"


def as_latex(rows: Sequence[Row]) -> str:
    """A tabular for the LaTeX package booktabs."""
    names = list(rows[0])
    layout = "".join("r" if all(_is_number(row[name]) for row in rows) else "l" for name in names)
    lines = [" & ".join(_escaped(name) for name in names) + r" \\", r"\midrule"]
    lines += [" & ".join(_cell(row[name], name) for name in names) + r" \\" for row in rows]
    begin, end = rf"\begin{{tabular}}{{{layout}}}", r"\end{tabular}"
    return "\n".join([begin, r"\toprule", *lines, r"\bottomrule", end, ""])


def _cell(value: Any, name: str) -> str:
    if _is_number(value):
        text = words(value, name, r" \pm ").replace(",", r"\,")
        return "n/a" if value is None else f"${text}$"
    return _escaped(words(value, name))


def _escaped(text: str) -> str:
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return re.sub(r"[\\~^&%$#_{}]", lambda m: special.get(m[0], f"\\{m[0]}"), text)


def _is_number(value: Any) -> bool:
    return value is None or (
        isinstance(value, (int, float, MeanOfRuns)) and not isinstance(value, bool)
    )


def _flat(row: Row) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, MeanOfRuns):
            flat |= {name: value.mean, f"{name} sd": value.deviation}
        else:
            flat[name] = value
    return flat
