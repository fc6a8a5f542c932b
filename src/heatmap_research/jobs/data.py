"""A file of annotations looked through, drawn, or converted to COCO's format."""

import argparse

from heatmap_research.data import annotations
from heatmap_research.data.audit import file_audit, printed, records
from heatmap_research.runs.record import refuse_to_replace


def check(flags: argparse.Namespace) -> int:
    found = file_audit.audit(flags.file, flags.images, flags.category, flags.channels)
    printed.show(found, flags.first)
    return 1 if found.refusal else 0


def show(flags: argparse.Namespace) -> int:
    if flags.number < 1:
        raise ValueError(f"--number {flags.number}: give 1 or more.")
    refuse_to_replace(flags.out)
    from heatmap_research.data.audit import contact_sheet, drawn  # and with them matplotlib

    found = records.read(flags.file, flags.category)
    if found is None:
        annotations.read(flags.file, category=flags.category)  # says why
        raise ValueError(f"{flags.file}: this cannot be read.")
    by_lot = (flags.number, flags.seed)
    rows = drawn.named(found, flags.id) if flags.id else drawn.drawn_by_lot(found, *by_lot)
    people = drawn.people(found, rows, flags.images, flags.channels)
    shown = f"{len(rows)} of {len(found.people)} annotations"
    sheet = contact_sheet.sheet(people, drawn.skeleton(found), f"{flags.file.name}: {shown}")
    contact_sheet.write(sheet, flags.out)
    print(f"{flags.out}: {shown}")
    return 0


def convert(flags: argparse.Namespace) -> int:
    from heatmap_research.data.converters import aic, mpii  # scipy: not for a check

    matlab = [source for source in flags.source if source.suffix == ".mat"]
    others = [source for source in flags.source if source not in matlab]
    if flags.format == "aic" and (matlab or len(others) != 1):
        raise ValueError("convert aic: give one JSON file.")
    if len(matlab) > 1 or len(others) > 1:
        raise ValueError("convert mpii: give one .json, one .mat, or one of each.")
    refuse_to_replace(flags.out)
    first, *rest = [*others, *matlab]
    number = (aic if flags.format == "aic" else mpii).convert(first, flags.out, *rest)
    print(f"{flags.out}: {number} people")
    return 0
