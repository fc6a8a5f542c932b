"""Crops a second that one core loads, as a multiple of a plain OpenCV loop's in the same run.

python experiments/loader/measure.py [--rounds 5] [--images 64]

The images are made here: 640x480 JPEGs of shapes and texture, about 120 kB each as COCO's are.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import cv2
import numpy as np
import simplejpeg
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from heatmap_research.config.cli import conf_folder
from heatmap_research.data.datasets.coco_format import CocoFormat

BATCH, SIZE = 64, (256, 192)
UPPER = ["nose", *(joint for joint in ("eye", "ear", "shoulder", "elbow", "wrist") for _ in "lr")]
LOWER = [joint for joint in ("hip", "knee", "ankle") for _ in "lr"]
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)
BOXES = {
    "usual": (150, 60, 220, 330),
    "large": (60, 10, 520, 460),
}  # 1.6 and 3.4 pixels a crop pixel
AIMS = {
    "whole JPEG": ("plain, usual", 1.15),
    "JPEG at half or less": ("plain, large", 1.8),
    "crop cache": ("plain, usual", 12.0),
}
TURNS = 3  # of each loop in a round


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=64)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    with tempfile.TemporaryDirectory() as folder:
        size = draw_images(Path(folder), asked.images)
        print(f"{asked.images} images of {size / 1e3:.0f} kB, load {os.getloadavg()[0]:.1f}")
        loops = made(Path(folder), asked.images)
        for loop in loops.values():
            loop()  # caches fill, files are read from disk
        rates: dict[str, list[float]] = {name: [] for name in loops}
        for _ in range(asked.rounds):
            for name, rate in one_round(loops).items():
                rates[name].append(rate)
    report(rates)


def one_round(loops: dict[str, Callable[[], int]]) -> dict[str, float]:
    """Crops a second of this process's own time, in turns, so that neighbours trouble all alike."""
    counts, seconds = dict.fromkeys(loops, 0), dict.fromkeys(loops, 0.0)
    for _ in range(TURNS):
        for name, loop in loops.items():
            began = time.process_time()
            counts[name] += loop()
            seconds[name] += time.process_time() - began
    return {name: counts[name] / seconds[name] for name in loops}


def report(rates: dict[str, list[float]]) -> None:
    print(f"{'':22} {'crops/s':>8}   times the plain loop: median (each round)")
    for name, (base, aim) in AIMS.items():
        ratios = [ours / plain for ours, plain in zip(rates[name], rates[base], strict=True)]
        each = " ".join(f"{ratio:.2f}" for ratio in ratios)
        middle, rate = statistics.median(ratios), statistics.median(rates[name])
        print(f"{name:22} {rate:8.0f}   {middle:.2f} ({each})   aim {aim}")
    for name in BOXES:
        print(f"{'plain, ' + name:22} {statistics.median(rates['plain, ' + name]):8.0f}")


def made(folder: Path, count: int) -> dict[str, Callable[[], int]]:
    """Each goes once over all images and returns how many crops it made."""
    usual, large = (annotate(folder, name, box, count) for name, box in BOXES.items())

    def ours(file: Path, cache: str | None, repeats: int = 1) -> Callable[[], int]:
        data = dataset(file, folder, cache)
        batches = [range(at, at + BATCH) for at in range(0, count * repeats, BATCH)]

        def loop() -> int:
            return sum(len(data.__getitems__(batch).image) for batch in batches)

        return loop

    return {
        "plain, usual": lambda: plain(folder, count, BOXES["usual"]),
        "whole JPEG": ours(usual, None),
        "plain, large": lambda: plain(folder, count, BOXES["large"]),
        "JPEG at half or less": ours(large, None),
        "crop cache": ours(usual, str(folder / "cache"), repeats=4),
    }


def dataset(file: Path, folder: Path, cache: str | None) -> CocoFormat:
    conf = conf_folder()
    return CocoFormat(
        annotations=str(file),
        images=str(folder),
        image_size=SIZE,
        channels=3,
        geometry=instantiate(OmegaConf.load(conf / "geometry/center.yaml")),
        boxes="gt",
        detections=None,
        padding=1.25,
        augment=instantiate(OmegaConf.load(conf / "augment/hrnet.yaml")),
        sigmas=None,
        category=None,
        cache=cache,
        on_error="stop",
        seed=0,
        held_out=0,
        part="all",
        first=None,
    )


def plain(folder: Path, count: int, box: tuple[int, ...]) -> int:
    """What a first loader looks like, without a batch: it turns, scales, mirrors, normalises."""
    x, y, width, height = box
    random = np.random.default_rng(0)
    for number in range(count):
        image = cv2.imread(str(folder / f"{number}.jpg"))
        spacing = 1.25 * max(width / SIZE[1], height / SIZE[0]) * random.uniform(0.65, 1.35)
        turn = cv2.getRotationMatrix2D(
            (x + width / 2, y + height / 2), random.uniform(-45, 45), 1 / spacing
        )
        turn[:, 2] += (SIZE[1] / 2 - x - width / 2, SIZE[0] / 2 - y - height / 2)
        crop = cv2.warpAffine(image, turn, SIZE[::-1], flags=cv2.INTER_LINEAR)
        if number % 2:
            crop = cv2.flip(crop, 1)
        rgb = crop[..., ::-1].astype(np.float32) / 255
        np.ascontiguousarray(((rgb - MEAN) / STD).transpose(2, 0, 1))
    return count


def draw_images(folder: Path, count: int) -> float:
    random, sizes = np.random.default_rng(0), []
    for number in range(count):
        image = sum(
            weight * cv2.resize(random.normal(0, 1, (high, wide, 3)), (640, 480), interpolation=3)
            for high, wide, weight in ((4, 5, 40), (30, 40, 20), (240, 320, 14))
        )
        image = np.clip(image + 128, 0, 255).astype(np.uint8)
        for _ in range(30):
            centre = tuple(random.integers(0, (640, 480)).tolist())
            radius, colour = int(random.integers(5, 90)), random.integers(0, 256, 3).tolist()
            cv2.circle(image, centre, radius, colour, -1, cv2.LINE_AA)
        content = simplejpeg.encode_jpeg(image, 90, colorsubsampling="444")
        (folder / f"{number}.jpg").write_bytes(content)
        sizes.append(len(content))
    return statistics.mean(sizes)


def annotate(folder: Path, name: str, box: tuple[int, ...], count: int) -> Path:
    x, y, width, height = box
    random, half = np.random.default_rng(1), height / 2
    upper = random.uniform((x, y), (x + width, y + half), (count, len(UPPER), 2))
    lower = random.uniform((x, y + half), (x + width, y + height), (count, len(LOWER), 2))
    points = np.concatenate([upper, lower], axis=1)
    labels = np.pad(points, ((0, 0), (0, 0), (0, 1)), constant_values=2).reshape(count, -1)
    joints = [f"{name} {number}" for number, name in enumerate(UPPER + LOWER)]
    people = [
        {"id": n, "image_id": n, "category_id": 1, "bbox": list(box), "iscrowd": 0}
        | {"area": width * height / 2, "keypoints": labels[n].tolist()}
        for n in range(count)
    ]
    pictures = [
        {"id": n, "file_name": f"{n}.jpg", "width": 640, "height": 480} for n in range(count)
    ]
    category = {"id": 1, "name": "person", "keypoints": joints, "sigmas": [0.05] * len(joints)}
    content = {"images": pictures, "annotations": people, "categories": [category]}
    (file := folder / f"{name}.json").write_text(json.dumps(content))
    return file


if __name__ == "__main__":
    sys.exit(main())
