"""A table's rows for a paper: heads in words, with units, and the best of each metric in bold."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from heatmap_research.runs.formats import words
from heatmap_research.runs.table import MeanOfRuns, Row

LOWER, HIGHER = "down", "up"  # which way is better, as the arrow points
METRICS = (  # how a metric's name begins, how it is called in a head, and which way is better
    ("pixel_error", "error{} (px)", LOWER),
    ("error_px", "error (px){}", LOWER),
    ("nme", "normalised error{}", LOWER),
    ("ghosts", "share of ghosts", LOWER),
    ("at_other_figure", "share at the other figure", LOWER),
    ("mean_oks", "mean OKS", HIGHER),
    ("oks", "OKS{}", HIGHER),
    ("auc", "AUC{}", HIGHER),
    ("pck", "PCK{}", HIGHER),
    ("ap", "AP{}", HIGHER),
    ("ar", "AR{}", HIGHER),
)


SPECIAL = {
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "[": "{[}", "*": "{*}"},
}


@dataclass(frozen=True)
class Head:
    text: str  # in LaTeX
    unit: float = 1  # that cells are divided by
    better: str | None = None


HEADS = {
    "n": Head("Seeds"),
    "p": Head("$p$"),
    "sigma": Head(r"$\sigma$ (px)"),
    "stride": Head("Stride (px)"),
    "parameters": Head("Parameters (M)", 1e6),
    "macs": Head("MACs (M)", 1e6),
    "output_bytes": Head("Output (kB)", 1e3),
    "peak_memory": Head("Memory (GB)", 1e9),
    "seconds": Head("Training (s)"),
}


def as_latex(rows: Sequence[Row]) -> str:
    """A tabular for the LaTeX package booktabs."""
    heads = {name: _head(name) for name in rows[0]}
    columns = [_cells([row[name] for row in rows], name, head) for name, head in heads.items()]
    layout = "".join("r" if all(_is_number(r[name]) for r in rows) else "l" for name in heads)
    lines = [" & ".join(head.text for head in heads.values()) + r" \\", r"\midrule"]
    lines += [" & ".join(cells) + r" \\" for cells in zip(*columns, strict=True)]
    begin, end = rf"\begin{{tabular}}{{{layout}}}", r"\end{tabular}"
    return "\n".join([begin, r"\toprule", *lines, r"\bottomrule", end, ""])


def _head(name: str) -> Head:
    if name in HEADS:
        return HEADS[name]
    stage, *named, figure = name.split("/") if "/" in name else ("", name)
    for begins, called, better in METRICS:
        if stage and len(named) < 2 and figure.lower().startswith(begins):
            rest = figure[len(begins) :].replace("_", " ")
            words = [stage.capitalize(), called.format(rest), *(f"by {each}" for each in named)]
            return Head(rf"{_escaped(' '.join(words))} $\{better}arrow$", better=better)
    text = _escaped(name.replace("_", " "))
    return Head(text[:1].upper() + text[1:])


def _cells(values: Sequence[Any], name: str, head: Head) -> list[str]:
    """A column's cells; of a metric, all that read as the best do are bold."""
    means = [getattr(value, "mean", value) for value in values]
    shown = [_number(mean, name, head.unit) if _is_number(mean) else "" for mean in means]
    best = _best(means, shown, head.better)
    return [
        _cell(value, rf"\mathbf{{{text}}}" if text == best else text, name, head.unit)
        for value, text in zip(values, shown, strict=True)
    ]


def _best(means: Sequence[Any], shown: Sequence[str], better: str | None) -> str | None:
    known = {t: m for m, t in zip(means, shown, strict=True) if isinstance(m, float) and m == m}
    if better is None or len(known) < 2:
        return None
    return (min if better == LOWER else max)(known, key=lambda text: known[text])


def _cell(value: Any, text: str, name: str, unit: float) -> str:
    if value is None or not _is_number(value):
        return _escaped(words(value, name))
    deviation = getattr(value, "deviation", None)
    around = "" if deviation is None else rf" \pm {_number(deviation, name, unit)}"
    return f"${text}{around}$"


def _number(value: Any, name: str, unit: float) -> str:
    if value is None:
        return ""
    return words(value, name).replace(",", r"\,") if unit == 1 else f"{value / unit:.3g}"


def _escaped(text: str) -> str:
    """As words: nothing is a command, ends a row, or at its head is an option of the end before."""
    in_a_line = re.sub(r"[\s\x00-\x1f\x7f]+", " ", text).strip()
    return re.sub(r"[\\~^<>|&%$#_{}]|^[\[*]", lambda m: SPECIAL.get(m[0], f"\\{m[0]}"), in_a_line)


def _is_number(value: Any) -> bool:
    return value is None or (
        isinstance(value, (int, float, MeanOfRuns)) and not isinstance(value, bool)
    )
