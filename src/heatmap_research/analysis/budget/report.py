"""An account in a table and in sentences."""

from collections.abc import Iterator

import numpy as np
from rich.table import Table

from heatmap_research.analysis.budget.account import Account
from heatmap_research.analysis.budget.parts import ORDER, Budget
from heatmap_research.analysis.budget_figures import WORDS


def table(taken: Account, stage: str) -> Table:
    decoder, flip = taken.reading
    result = Table(
        title=f"Mean error of {stage}, crop pixels: decoder {decoder}"
        f"{' in a flip test' if flip else ''}; fitted to {taken.fitted_to}"
    )
    result.add_column("what is put right")
    for name in ("forwards", "share", "backwards", "share", "squared, px²"):
        result.add_column(name, justify="right")
    one, other = taken.forwards, taken.backwards
    result.add_row(
        "as it is", *_cells(one.total_px, 1), *_cells(other.total_px, 1), f"{one.total_px2:.3f}"
    )
    for name in ORDER:
        if name in taken.absent:
            result.add_row(WORDS[name], "n/a", "", "n/a", "", "", style="dim")
            continue
        parts = one.part(name), other.part(name)
        cells = [cell for p in parts for cell in _cells(-p.mean_px, -p.share, "+")]
        result.add_row(WORDS[name], *cells, f"{round(-parts[0].square_px2, 3) + 0.0:+.3f}")
    rest = one.remainder_px, one.remainder_px / (one.total_px or 1.0)
    result.add_section()
    result.add_row("remainder", *_cells(*rest), *_cells(*rest), f"{one.remainder_px2:.3f}")
    return result


def words(taken: Account, names: tuple[str, ...]) -> Iterator[str]:
    yield (
        "Forwards: from the top down, each after those above it; backwards: from the bottom up. "
        "Parts do not add, so each order shares them out in its own way; a + is error added. "
        "Bias by phase knows the truth: off whole-bin answers it takes noise too, which what comes "
        "after adds again."
    )
    yield _largest(taken.forwards, taken.backwards)
    best = " and ".join(
        f"{name}{' with' if flip else ' without'} flip test" for name, flip in taken.best
    )
    saved = taken.flip_px
    flip = (
        ""
        if saved is None
        else f" A flip test alone changes this decoder's error by {-saved:+.3f} px."
    )
    yield f"Read best, as chosen on {taken.fitted_to}: {best}.{flip}"
    total = sum(taken.kinds.values())
    shares = ", ".join(f"{name} {100 * count / total:.1f} %" for name, count in taken.kinds.items())
    yield f"Of {total} labelled joints: {shares}."
    means = taken.joints.mean_px
    worst = [joint for joint in np.argsort(-means) if not np.isnan(means[joint])][:3]
    shown = ", ".join(f"{names[j]} {means[j]:.2f} px" for j in worst)
    yield f"Joints with the largest mean error: {shown}."
    widths = taken.joints.uncertainty
    if not np.isnan(widths).any():
        each = ", ".join(f"{name} {w:.2f}" for name, w in zip(names, widths, strict=True))
        yield f"How unsure it is (robust spread along an axis, read best), px: {each}."
    ece = "; ".join(f"{name}: ECE {curve.ece:.3f}" for name, curve in taken.scores.items())
    yield (
        f"Scores: {ece}; AURC {taken.risk.aurc:.3f} px, {taken.risk.excess:.3f} above the best "
        "order."
    )
    for name, why in taken.absent.items():
        yield f"n/a: {WORDS[name]}: {why}."


def _largest(one: Budget, other: Budget) -> str:
    shares = []
    for each, words in ((one, "forwards"), (other, "backwards")):
        part = max(each.parts, key=lambda part: part.mean_px)
        shares.append(f"{words}: {WORDS[part.name]}, {100 * part.share:.0f} %")
    rest = 100 * one.remainder_px / (one.total_px or 1.0)
    return f"Largest {'; '.join(shares)} of the error. Nothing here explains {rest:.0f} %."


def _cells(pixels: float, share: float, sign: str = "") -> tuple[str, str]:
    """Without a sign where there is nothing."""
    return f"{round(pixels, 3) + 0.0:{sign}.3f}", f"{round(100 * share) + 0:{sign}d} %"
