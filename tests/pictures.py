"""Pictures whose truth is known, and data sets made of them."""

import json
from pathlib import Path
from types import MappingProxyType

import numpy as np
import simplejpeg

from heatmap_research.codec.geometry import Geometry
from heatmap_research.data.augmentation import Augmentation
from heatmap_research.data.datasets.coco_format import CocoFormat

GEOMETRIES = MappingProxyType(
    {
        "center": Geometry(first=-0.5, last=-0.5, flip_shift=None),
        "legacy": Geometry(first=0.0, last=0.0, flip_shift=None),
        "udp": Geometry(first=0.0, last=-1.0, flip_shift=None),
    }
)
STILL = MappingProxyType(
    dict(flip=0.0, spread="uniform", rotation=0.0, rotation_limit=1.0, rotation_probability=0.0)
    | dict(scale=0.0, shift=0.0, shift_probability=0.0)
    | dict(half_body=0.0, half_body_least=8, half_body_padding=1.5, half_body_upper=0.5)
    | dict(patches=0, patch_size=(0.0, 0.0), patch_probability=0.0)
)


def augmentation(**knobs) -> Augmentation:
    return Augmentation(**STILL | knobs)


def blob(x: float, y: float, size=(640, 480), radius=30.0, edge=1.5, dark=0) -> np.ndarray:
    """A disc of light with a soft edge, pixel i at i: (height, width) uint8.

    Only pixels of its edge are rounded, so that its centroid is exact to 0.001 px.
    """
    width, height = size
    far = np.hypot(np.arange(width) - x, np.arange(height)[:, None] - y)
    light = 1 / (1 + np.exp((far - radius) / edge))
    return np.rint(dark + (240 - dark) * light).astype(np.uint8)


def centroid(image: np.ndarray, dark: float = 0.0) -> np.ndarray:
    """x, y of what is lighter than `dark` in (height, width), pixel i at i."""
    light = image.astype(np.float64) - dark
    down, across = (np.arange(side) for side in light.shape)
    return np.array([(light.sum(0) * across).sum(), (light.sum(1) * down).sum()]) / light.sum()


def jpeg(path: Path, grey: np.ndarray, quality: int = 100) -> None:
    rgb = np.ascontiguousarray(np.repeat(grey[..., None], 3, axis=2))
    path.write_bytes(simplejpeg.encode_jpeg(rgb, quality, colorsubsampling="444"))


def annotate(
    file: Path,
    pictures: list[tuple[str, int, int]],  # name, width, height
    people: list[dict],  # image, box, keypoints (K, 3)
    names: tuple[str, ...] = ("nose", "left_eye", "right_eye"),
) -> Path:
    images = [
        {"id": 10 + n, "file_name": name, "width": width, "height": height}
        for n, (name, width, height) in enumerate(pictures)
    ]
    annotations = [
        {
            "id": 100 + n,
            "image_id": 10 + person["image"],
            "category_id": 1,
            "bbox": [float(side) for side in person["box"]],
            "area": 0.5 * person["box"][2] * person["box"][3],
            "iscrowd": person.get("crowd", 0),
            "keypoints": np.ravel(person["keypoints"]).tolist(),
        }
        for n, person in enumerate(people)
    ]
    category = {"id": 1, "name": "person", "keypoints": list(names), "sigmas": [0.05] * len(names)}
    content = {"images": images, "annotations": annotations, "categories": [category]}
    file.write_text(json.dumps(content))
    return file


def dataset(annotations: Path, /, **knobs) -> CocoFormat:
    usual = dict(annotations=str(annotations), images=str(annotations.parent))
    usual |= dict(image_size=[256, 192], channels=3, geometry=GEOMETRIES["center"])
    usual |= dict(boxes="gt", detections=None, padding=1.25, augment=None, sigmas=None)
    usual |= dict(category=None, cache=None, on_error="stop", seed=0)
    usual |= dict(held_out=0, part="all", first=None)
    return CocoFormat(**usual | knobs)
