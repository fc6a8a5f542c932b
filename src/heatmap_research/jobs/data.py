"""Files of annotations looked through, compared, drawn, or converted to COCO's format."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from heatmap_research.data import annotations
from heatmap_research.data.audit import file_audit, printed, records, splits
from heatmap_research.data.converters.coco_file import Written
from heatmap_research.runs.record import refuse_to_replace


def check(flags: argparse.Namespace) -> int:
    folders = _folders(flags.file, flags.images)
    audits = [
        file_audit.audit(file, folder, flags.category, flags.channels)
        for file, folder in zip(flags.file, folders, strict=True)
    ]
    for found in audits:
        printed.show(found, flags.first)
    if len(audits) > 1:
        known = [(a.records, f) for a, f in zip(audits, folders, strict=True) if a.records]
        shared = splits.compare([r for r, _ in known], [f for _, f in known], flags.channels)
        printed.show_shared(list(shared), flags.first, pictures=bool(flags.images))
    return 1 if any(found.refusal for found in audits) else 0


def _folders(files: list[Path], images: list[Path] | None) -> Sequence[Path | None]:
    """The folder of images of each file: one for all of them, or one each."""
    if images is None:
        return [None] * len(files)
    if len(images) not in (1, len(files)):
        raise ValueError(
            f"--images: {len(images)} folders for {len(files)} files: give one for all, or one for "
            "each file in their order."
        )
    return images * len(files) if len(images) == 1 else images


def tolerances(flags: argparse.Namespace) -> int:
    from heatmap_research.data.audit import tolerances, tolerances_printed  # and with it scipy

    read = [annotations.read(file, category=flags.category) for file in flags.file]
    tolerances_printed.show(tolerances.estimate(*read))
    return 0


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


def shard(flags: argparse.Namespace) -> int:
    from heatmap_research.data.converters import shards

    if flags.megabytes < 1:
        raise ValueError(f"--megabytes {flags.megabytes}: give 1 or more.")
    read = [annotations.read(file) for file in flags.file]
    names = dict.fromkeys(name for table in read for name in table.image_files if name)
    count = shards.convert(list(names), flags.images, flags.out, flags.megabytes * 10**6)
    print(f"{flags.out}: {len(names)} images in {count} shard{'s' * (count > 1)}")
    return 0


def convert(flags: argparse.Namespace) -> int:
    refuse_to_replace(flags.out)
    done = CONVERTERS[flags.format](flags)
    if isinstance(done, int):  # of a published set, whose preset knows its images
        print(f"{flags.out}: {done} people")
        return 0
    print(f"{flags.out}: {done.people} people; their images: {done.images}")
    if done.note:
        print(done.note)
    return 0


def _aic(flags: argparse.Namespace) -> int:
    from heatmap_research.data.converters import aic

    if len(flags.source) != 1 or flags.source[0].suffix == ".mat":
        raise ValueError("convert aic: give one JSON file.")
    return aic.convert(flags.source[0], flags.out)


def _mpii(flags: argparse.Namespace) -> int:
    from heatmap_research.data.converters import mpii  # and with it scipy

    matlab = [source for source in flags.source if source.suffix == ".mat"]
    others = [source for source in flags.source if source not in matlab]
    if len(matlab) > 1 or len(others) > 1:
        raise ValueError("convert mpii: give one .json, one .mat, or one of each.")
    first, *rest = [*others, *matlab]
    return mpii.convert(first, flags.out, *rest)


def _yolo(flags: argparse.Namespace) -> Written:
    from heatmap_research.data.converters import yolo

    return yolo.convert(_alone(flags, "data.yaml"), flags.out, flags.split)


def _sleap(flags: argparse.Namespace) -> Written:
    from heatmap_research.data.converters import sleap  # and with it OpenCV

    return sleap.convert(_alone(flags, ".slp file"), flags.out)


def _deeplabcut(flags: argparse.Namespace) -> Written:
    from heatmap_research.data.converters import deeplabcut

    return deeplabcut.convert(flags.source, flags.out)


def _lightning_pose(flags: argparse.Namespace) -> Written:
    from heatmap_research.data.converters import lightning_pose

    return lightning_pose.convert(flags.source, flags.out)


def _alone(flags: argparse.Namespace, what: str) -> Path:
    if len(flags.source) != 1:
        raise ValueError(f"convert {flags.format}: give one {what}.")
    return flags.source[0]


CONVERTERS: dict[str, Callable[[argparse.Namespace], Written | int]] = {
    **{"mpii": _mpii, "aic": _aic, "yolo": _yolo, "deeplabcut": _deeplabcut},
    **{"sleap": _sleap, "lightning_pose": _lightning_pose},
}
