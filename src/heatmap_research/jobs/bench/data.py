"""The rows of data: crops read from pictures beside a plain loop of OpenCV, and figures drawn.

The pictures are made here: 640x480 JPEGs of shapes and texture, some 120 kB each as COCO's are.
"""

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import simplejpeg
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from heatmap_research.config.conf import conf_folder
from heatmap_research.config.instantiate import instantiate
from heatmap_research.data.converters import shards
from heatmap_research.data.datasets.coco_format import CocoFormat
from heatmap_research.data.rendering import pool
from heatmap_research.jobs.bench.timing import Row

BATCH, SIZE = 64, (256, 192)
UPPER = ["nose", *(joint for joint in ("eye", "ear", "shoulder", "elbow", "wrist") for _ in "lr")]
LOWER = [joint for joint in ("hip", "knee", "ankle") for _ in "lr"]
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)
BOXES = {  # 1.6 and 3.4 pixels of the picture to one of the crop
    "usual": (150, 60, 220, 330),
    "large": (60, 10, 520, 460),
}
FILES = "whole JPEGs"
USUAL, LARGE = "a plain loop of OpenCV", "a plain loop of OpenCV, large boxes"
COPY = "copy of the drawn images"
DRAWN = {
    "figures drawn, 64x64": (),
    "figures drawn, 64x64, a third covered": ("data.occlusion=0.3",),
    "figures drawn, 128x128": ("image_size=[128,128]",),
}


@contextmanager
def rows(count: int) -> Iterator[list[Row]]:
    """So many pictures and figures; whatever caches there are, are full after the first round."""
    with tempfile.TemporaryDirectory() as folder:
        draw_images(Path(folder), count)
        usual, large = (annotate(Path(folder), name, box, count) for name, box in BOXES.items())
        plain_usual, plain_large = (
            lambda box=box: plain(Path(folder), count, box) for box in BOXES.values()
        )
        yield [
            Row(USUAL, plain_usual, USUAL, count=count),
            Row(FILES, _read(usual, None), USUAL, 0.87, count),
            Row(
                "whole JPEGs in shards",
                _read(usual, None, _packed(Path(folder))),
                FILES,
                1.05,
                count,
            ),
            Row("crop cache", _read(usual, str(Path(folder, "cache"))), USUAL, 0.083, count),
            Row(LARGE, plain_large, LARGE, count=count),
            Row("JPEGs decoded at a half or less", _read(large, None), LARGE, 0.56, count),
            *_drawn(count),
        ]


def _drawn(count: int) -> Iterator[Row]:
    images = torch.zeros(count, 3, 64, 64, dtype=torch.uint8)
    yield Row(COPY, lambda: images.clone(), COPY, count=count)
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        configs = {name: compose("train", list(values)) for name, values in DRAWN.items()}
    for name, cfg in configs.items():
        figures = instantiate(cfg.data.figures, "data.figures")
        yield Row(name, _rendering(figures, count), COPY, count=count)


def _rendering(figures: Any, count: int) -> Callable[[], object]:
    return lambda: pool.render(figures, first=0, count=count)


def _packed(folder: Path) -> Path:
    names = [file.name for file in folder.glob("*.jpg")]
    shards.convert(names, folder, folder / "shards", 2**24)
    return folder / "shards"


def _read(file: Path, cache: str | None, images: Path | None = None) -> Callable[[], None]:
    """Goes through all crops of a file once, a batch at a time."""
    data = dataset(file, cache, images or file.parent)

    def loop() -> None:
        for first in range(0, len(data), BATCH):
            data.__getitems__(range(first, min(first + BATCH, len(data))))

    return loop


def dataset(file: Path, cache: str | None, images: Path) -> CocoFormat:
    conf = conf_folder()
    return CocoFormat(
        annotations=str(file),
        images=str(images),
        image_size=SIZE,
        channels=3,
        geometry=instantiate(OmegaConf.load(conf / "geometry/center.yaml"), "geometry"),
        boxes="gt",
        detections=None,
        padding=1.25,
        augment=instantiate(OmegaConf.load(conf / "augment/hrnet.yaml"), "augment"),
        sigmas=None,
        category=None,
        cache=cache,
        on_error="stop",
        seed=0,
        held_out=0,
        part="all",
        first=None,
    )


def plain(folder: Path, count: int, box: tuple[int, ...]) -> None:
    """What a first loader looks like, without a batch: it turns, scales, mirrors, normalises."""
    x, y, width, height = box
    random = np.random.default_rng(0)
    for number in range(count):
        image: Any = cv2.imread(str(folder / f"{number}.jpg"))
        spacing = 1.25 * max(width / SIZE[1], height / SIZE[0]) * random.uniform(0.65, 1.35)
        turn: Any = cv2.getRotationMatrix2D(
            (x + width / 2, y + height / 2), random.uniform(-45, 45), 1 / spacing
        )
        turn[:, 2] += (SIZE[1] / 2 - x - width / 2, SIZE[0] / 2 - y - height / 2)
        crop = cv2.warpAffine(image, turn, SIZE[::-1], flags=cv2.INTER_LINEAR)
        if number % 2:
            crop = cv2.flip(crop, 1)
        rgb = crop[..., ::-1].astype(np.float32) / 255
        np.ascontiguousarray(((rgb - MEAN) / STD).transpose(2, 0, 1))


def draw_images(folder: Path, count: int) -> None:
    random = np.random.default_rng(0)
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
