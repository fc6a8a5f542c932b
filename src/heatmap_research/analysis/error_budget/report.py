"""An account in a table and in sentences."""

from collections.abc import Iterator

import numpy as np
from rich.table import Table

from heatmap_research.analysis.error_budget import spread
from heatmap_research.analysis.error_budget.account import Account
from heatmap_research.analysis.error_budget.figures import named, signed
from heatmap_research.analysis.error_budget.parts import ORDER, Budget

OFF_BINS = (
    " Bias by phase knows the truth: off whole-bin answers it takes noise too, which what comes "
    "after adds again."
)


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
    whole = f"{one.total_px:.3f}", "100 %"
    result.add_row("as it is", *whole, *whole, f"{one.total_px2:.3f}")
    for name in ORDER:
        if name in taken.absent:
            result.add_row(named(name, taken.cell), "n/a", "", "n/a", "", "", style="dim")
            continue
        parts = one.part(name), other.part(name)
        cells = [cell for p in parts for cell in (signed(-p.mean_px), _percent(-p.share))]
        result.add_row(named(name, taken.cell), *cells, signed(-parts[0].square_px2))
    rest = f"{one.remainder_px:.3f}", f"{100 * one.remainder_px / (one.total_px or 1.0):.0f} %"
    result.add_section()
    result.add_row("remainder", *rest, *rest, f"{one.remainder_px2:.3f}")
    return result


def words(taken: Account, names: tuple[str, ...]) -> Iterator[str]:
    yield (
        "Forwards: from the top down, each after those above it; backwards: from the bottom up. "
        "Parts do not add, so each order shares them out in its own way; a + is error added."
        f"{OFF_BINS if taken.cell == 'bin' else ''}"
    )
    yield _largest(taken.forwards, taken.backwards, taken.cell)
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
    if not np.isnan(taken.spread.widths).any():
        first, *more = spread.words(taken.spread, names)
        yield f"How unsure it is (robust spread along an axis, read best), {first}"
        yield from more
    ece = "; ".join(f"{name}: ECE {curve.ece:.3f}" for name, curve in taken.scores.items())
    yield (
        f"Scores: {ece}; AURC {taken.risk.aurc:.3f} px, {taken.risk.excess:.3f} above the best "
        "order."
    )
    for name, why in taken.absent.items():
        yield f"n/a: {named(name, taken.cell)}: {why}."


def _largest(one: Budget, other: Budget, cell: str) -> str:
    shares = []
    for each, words in ((one, "forwards"), (other, "backwards")):
        part = max(each.parts, key=lambda part: part.mean_px)
        shares.append(f"{words}: {named(part.name, cell)}, {100 * part.share:.0f} %")
    rest = 100 * one.remainder_px / (one.total_px or 1.0)
    return f"Largest {'; '.join(shares)} of the error. Nothing here explains {rest:.0f} %."


def _percent(share: float) -> str:
    """Without a sign where it rounds to nothing."""
    whole = round(100 * share)
    return f"{whole:+d} %" if whole else "0 %"
