"""What one run is and came to, and whom it misses most."""

from collections.abc import Sequence

from heatmap_research.analysis.page import drawings, parts
from heatmap_research.analysis.page.parts import Cell, Column, Part, Plot, Section, Table, Words
from heatmap_research.analysis.page.study import Study, first
from heatmap_research.drawing import missed_sheet
from heatmap_research.runs.find import Run

COLUMNS = 4  # of people: so that their titles can be read
STAGES = ("val", "test")


def box(study: Study) -> Section:
    """The run in a sentence, its figures, and what it costs."""
    group = study.groups[0]
    run, decoder = first(group), study.decoder(group)
    error, floor = study.spread(group, "test"), study.seen_of(group).floors.get(decoder)
    came = f"{study.name} on test {error.mean:.3f} {study.reading.unit}" if error else "no test"
    least = "" if floor is None else f", of which its own floor is {floor:.3f} px"
    said = f"{run.arm}, seed {run.seed}: {came}, read by {decoder}{least}."
    same = "Test is val here: what was chosen on it is reported on the same people."
    note: list[Part] = [Words(same, "warning")] if run.test_is_val else []
    costs = _costs(study, run)
    return Section("The run", [Words(said, "lead"), *note, _metrics(run, decoder), costs])


def missed(cells: Sequence[missed_sheet.Cell], why_not: str | None) -> Section:
    title = "Whom it misses most"
    if not cells:
        return Section(title, [Words(f"No people are drawn: {why_not}.", "note")])
    caption = (
        "People of test by their mean error, the worst first, cut out of their pictures. Cross: "
        "truth; dot: found; errors in pixels of the crop."
    )
    picture = drawings.png(
        missed_sheet.sheet(cells, "", COLUMNS), "The people with the largest errors"
    )
    return Section(title, [Plot(caption, [picture])])


def _metrics(run: Run, decoder: str) -> Table:
    stored = run.record.get("metrics") or {}
    known = {stage: (stored.get(stage) or {}).get(decoder) or {} for stage in STAGES}
    names = dict.fromkeys(name for figures in known.values() for name in figures)
    rows = [[name, *(_figure(known[s].get(name)) for s in STAGES)] for name in names]
    return parts.table(f"Every metric, read by {decoder}.", ["metric", *STAGES], rows)


def _figure(value: float | None) -> Cell:
    return parts.scaled(value, "{:.4g}")


def _costs(study: Study, run: Run) -> Table:
    seen = study.seen_of(study.groups[0])
    latency = None if seen.latency is None else 1e3 * seen.latency
    rows = [
        ("parameters", parts.scaled(run.parameters, "{:,.0f}")),
        ("multiply-adds of an image", parts.scaled(run.macs, "{:.3g} M", 1e6)),
        ("answer to an image", parts.byte_count(seen.output_bytes)),
        ("network alone on one image, here", parts.scaled(latency, "{:.2f} ms")),
        ("training", parts.scaled(run.seconds, "{:.0f} s")),
        ("peak memory", parts.byte_count(run.peak_memory)),
    ]
    heads = [Column("cost"), Column("value", measured=True)]
    return parts.table("What it costs.", heads, rows)
