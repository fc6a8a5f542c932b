"""An account in a table and in sentences."""

from collections.abc import Iterator
from itertools import chain

import numpy as np
from rich.table import Table

from heatmap_research.analysis.error_budget import per_joint
from heatmap_research.analysis.error_budget.account import Account
from heatmap_research.analysis.error_budget.figures import named, signed
from heatmap_research.analysis.error_budget.parts import ORDER, Budget
from heatmap_research.analysis.error_budget.stages import Readout

ENDS = 2  # rows of a table beside its parts: the whole, and the remainder
ORDERS = (
    "Forwards: from the top down, each after those above it; backwards: from the bottom up. "
    "Parts do not add, so each order shares them out in its own way; a + is error added."
)
OFF_BINS = (
    " Bias by phase knows the truth: off whole-bin answers it takes noise too, which what comes "
    "after adds again."
)


def table(account: Account, stage: str, rows: int | None = None) -> Table:
    """A row for each part; where that would be more than `rows`, the parts that weigh most."""
    decoder, flip = account.readout
    result = Table(
        title=f"Mean error of {stage}, crop pixels: decoder {decoder}"
        f"{' in a flip test' if flip else ''}; fitted to {account.fitted_to}"
    )
    result.add_column("what is put right")
    for name in ("forwards", "share", "backwards", "share", "squared, px²"):
        result.add_column(name, justify="right")
    one = account.forwards
    whole = f"{one.total_px:.3f}", "100 %"
    result.add_row("as it is", *whole, *whole, f"{one.total_px2:.3f}")
    for name in ORDER if rows is None else _heaviest(account, rows - ENDS):
        style = "dim" if name in account.absent else None
        result.add_row(named(name, account.cell), *_cells(account, name), style=style)
    rest = f"{one.remainder_px:.3f}", f"{100 * one.remainder_px / (one.total_px or 1.0):.0f} %"
    result.add_section()
    result.add_row("remainder", *rest, *rest, f"{one.remainder_px2:.3f}")
    return result


def conclusion(account: Account, names: tuple[str, ...]) -> Iterator[str]:
    """Three sentences: what weighs most, what nothing explains, and what to read and look at."""
    one = account.forwards
    yield f"Of {one.total_px:.3f} px by {_readout(account.readout)} {_heaviest_part(account)}."
    rest = 100 * one.remainder_px / (one.total_px or 1.0)
    yield f"With all of it put right {one.remainder_px:.3f} px ({rest:.0f} %) would be left."
    best = " and ".join(map(_readout, account.best))
    yield (
        f"It is read best, as chosen on {account.fitted_to}, by {best}, and the joints furthest "
        f"off are {_worst(account, names)}."
    )


def sentences(account: Account, names: tuple[str, ...]) -> Iterator[str]:
    yield f"{ORDERS}{OFF_BINS if account.cell == 'bin' else ''}"
    yield _largest(account.forwards, account.backwards, account.cell)
    yield _read_best(account)
    total = sum(account.kinds.values())
    shares = ", ".join(f"{n} {100 * count / total:.1f} %" for n, count in account.kinds.items())
    yield f"Of {total} labelled joints: {shares}{_by_a_stand_in(account)}."
    yield f"Joints with the largest mean error: {_worst(account, names)}."
    if not np.isnan(account.uncertainty.widths).any():
        first, *more = per_joint.sentences(account.uncertainty, names)
        yield f"How unsure it is (robust spread along an axis, read best), {first}"
        yield from more
    ece = "; ".join(f"{name}: ECE {curve.ece:.3f}" for name, curve in account.scores.items())
    risk = account.risk
    order = f"AURC {risk.aurc:.3f} px, {risk.excess:.3f} above the best order"
    yield f"Scores: {ece}{_by_a_stand_in(account)}; {order}."
    if account.people:
        yield str(account.people)
    for name, why in account.absent.items():
        yield f"n/a: {named(name, account.cell)}: {why}."


def _by_a_stand_in(account: Account) -> str:
    """What OKS is worth where nobody has measured how exactly joints are marked."""
    if account.stand_in is None:
        return ""
    return f" (OKS by a stand-in tolerance of {account.stand_in:g} for each joint; none is known)"


def _heaviest_part(account: Account) -> str:
    first, last = (
        max(each.parts, key=lambda part: part.mean_px)
        for each in (account.forwards, account.backwards)
    )
    name = named(first.name, account.cell)
    if first.name == last.name:
        shares = " to ".join(f"{100 * s:.0f}" for s in sorted({first.share, last.share}))
        return f"{name} is the largest part in either order ({shares} %)"
    return (
        f"{name} is the largest part ({100 * first.share:.0f} %), and in the opposite order "
        f"{named(last.name, account.cell)} ({100 * last.share:.0f} %)"
    )


def _worst(account: Account, names: tuple[str, ...]) -> str:
    means = account.joints.mean_px
    worst = [joint for joint in np.argsort(-means) if not np.isnan(means[joint])][:3]
    return ", ".join(f"{names[j]} {means[j]:.2f} px" for j in worst)


def _readout(readout: Readout) -> str:
    decoder, flip = readout
    return f"{decoder}{' with a flip test' if flip else ''}"


def _heaviest(account: Account, number: int) -> list[str]:
    """Names of the parts that weigh most in either order, as they are ordered in a table."""
    both = account.forwards, account.backwards
    weights = {n: max(abs(b.part(n).share) for b in both) for n in account.forwards.order}
    kept = sorted(weights, key=lambda name: -weights[name])[:number]
    return [name for name in ORDER if name in kept]


def _cells(account: Account, name: str) -> tuple[str, ...]:
    if name in account.absent:
        return "n/a", "", "n/a", "", ""
    one, other = account.forwards.part(name), account.backwards.part(name)
    cells = [(signed(-p.mean_px), _percent(-p.share)) for p in (one, other)]
    return *chain(*cells), signed(-one.square_px2)


def _largest(one: Budget, other: Budget, cell: str) -> str:
    shares = []
    for each, words in ((one, "forwards"), (other, "backwards")):
        part = max(each.parts, key=lambda part: part.mean_px)
        shares.append(f"{words}: {named(part.name, cell)}, {100 * part.share:.0f} %")
    rest = 100 * one.remainder_px / (one.total_px or 1.0)
    return f"Largest {'; '.join(shares)} of the error. Nothing here explains {rest:.0f} %."


def _read_best(account: Account) -> str:
    best = " and ".join(
        f"{name}{' with' if flip else ' without'} flip test" for name, flip in account.best
    )
    said = f"Read best, as chosen on {account.fitted_to}: {best}."
    if account.flip_px is None:
        return said
    return f"{said} A flip test alone changes this decoder's error by {-account.flip_px:+.3f} px."


def _percent(share: float) -> str:
    return f"{signed(100 * share, 0)} %"
