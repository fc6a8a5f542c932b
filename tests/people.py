"""A small data set in COCO's format: photographs of noise, one person with three joints on each."""

import json
from pathlib import Path

import cv2
import numpy as np

JOINTS = ("nose", "left_wrist", "right_wrist")
SIDE = 48  # pixels of each image


def write(folder: Path, joints: tuple[str, ...] = JOINTS, images: int = 8) -> Path:
    """Writes images and people.json into a folder, and returns that file."""
    draws = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(images):
        noise = draws.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{number}.png"), noise)
    file = folder / "people.json"
    category = {"id": 1, "name": "person", "keypoints": list(joints)}
    records = {
        "images": [_image(number) for number in range(images)],
        "annotations": [_person(number, len(joints), draws) for number in range(images)],
        "categories": [category],
    }
    file.write_text(json.dumps(records))
    return file


def options(file: Path) -> tuple[str, ...]:
    """What trains on such a file for a few steps; its path is taken as it is given."""
    return (
        *("data=custom", f"data.train.annotations={file}", f"data.train.images={file.parent}"),
        *(f"data.val.annotations={file}", f"data.val.images={file.parent}"),
        *("trainer=smoke", "image_size=[32,32]", "data.batch_size=4", "data.workers=0"),
    )


def _image(number: int) -> dict:
    return {"id": number, "file_name": f"{number}.png", "width": SIDE, "height": SIDE}


def _person(number: int, joints: int, draws: np.random.Generator) -> dict:
    points = draws.uniform(12, 36, (joints, 2)).round(1)
    return {
        **{"id": number, "image_id": number, "category_id": 1, "iscrowd": 0},
        **{"bbox": [8, 8, 32, 32], "area": 700.0, "num_keypoints": joints},
        "keypoints": [value for x, y in points.tolist() for value in (x, y, 2)],
    }
