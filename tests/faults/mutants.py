"""Reads thousands of annotations, boxes, labels of other tools, pictures and arrays, all damaged.

And has labels, losses and decoders reckon at the limits of their numbers (`limits.py`).

    python tests/faults/mutants.py [--annotations 5000] [--boxes 2000] [--beside 2000]
                                   [--pictures 2000] [--labels 1600] [--arrays 400]
                                   [--numbers 3000] [--seed 0]

Each is taken, or refused in a line that names the file: no traceback, and a check that judges as
training does. Prints a line for each that is not, and a row for each kind.
"""

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from faults import limits, mutated_annotations, mutated_formats, mutated_images

COUNTS = {"annotations": 5000, "boxes": 2000, "beside": 2000}
COUNTS |= {"pictures": 2000, "labels": 1600, "arrays": 400, "numbers": 3000, "seed": 0}


def main() -> int:
    flags = argparse.ArgumentParser(description=__doc__)
    for name, count in COUNTS.items():
        flags.add_argument(f"--{name}", type=int, default=count)
    asked = flags.parse_args()
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as place:
        folder = mutated_annotations.with_pictures(Path(place) / "set")
        annotations = islice(mutated_annotations.mutants(asked.seed), asked.annotations)
        boxes = islice(mutated_annotations.boxes(asked.seed), asked.boxes)
        pictures = islice(mutated_images.damaged(asked.seed), asked.pictures)
        wrong = tried("annotations", annotations, mutated_annotations.judged, folder)
        wrong += tried("boxes", boxes, mutated_annotations.judged_boxes, folder)
        beside = islice(mutated_annotations.beside_boxes(asked.seed), asked.beside)
        wrong += tried("annotations= beside", beside, mutated_annotations.judged_beside, folder)
        labels = islice(mutated_formats.labels(asked.seed), asked.labels)
        arrays = islice(mutated_formats.arrays(asked.seed), asked.arrays)
        wrong += tried("labels of other tools", labels, mutated_formats.judged, folder)
        wrong += tried("arrays", arrays, mutated_formats.judged_array, folder)
        cases = islice(limits.cases(asked.seed), asked.numbers)
        wrong += tried("numbers at their limits", cases, limits.judged, folder)
        wrong += tried("odd pictures", mutated_images.odd().items(), mutated_images.judged, folder)
        wrong += tried("damaged pictures", pictures, mutated_images.judged, folder)
    print(f"at most {mutated_images.peak():.2f} GiB of memory")
    return 1 if wrong else 0


def tried(
    kind: str, files: Iterable[tuple[str, Any]], judge: Callable[[Any, Path], str], folder: Path
) -> int:
    """Prints what was wrong; returns of how many files."""
    began, count, wrong = time.monotonic(), 0, 0
    for name, content in files:
        count += 1
        if problem := judge(content, folder):
            wrong += 1
            print(f"{kind} {count}: {name}: {problem[:300]}", flush=True)
    seconds = time.monotonic() - began
    print(f"{kind}: {count} files, {wrong} wrong, {seconds:.0f} s", flush=True)
    return wrong


if __name__ == "__main__":
    sys.exit(main())
