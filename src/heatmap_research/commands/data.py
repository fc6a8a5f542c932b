"""heatmap-data: look through a file of annotations, draw it, or convert one of another format."""

import argparse
import logging
import sys
from pathlib import Path
from typing import Any

from heatmap_research.runs.no_place import ending_in_a_line

FORMATS = ("yolo", "deeplabcut", "lightning_pose", "sleap", "mpii", "aic")


def main() -> None:
    flags = _flags()
    logging.getLogger("heatmap_research").setLevel(logging.ERROR)  # what is warned of is shown
    with ending_in_a_line("data"):
        from heatmap_research.jobs import data

        sys.exit(getattr(data, flags.job)(flags))


def _flags() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="heatmap-data", description=__doc__)
    commands = parser.add_subparsers(
        dest="job", required=True, metavar="check|show|tolerances|convert|shard"
    )
    check = commands.add_parser("check", help="say what is wrong, and what training does")
    check.description = (
        "Goes through a whole file; exit status 1 if training would refuse it. Several files, such "
        "as train, val and test, are also compared: same pictures, nearly the same, same points."
    )
    _add_file(check, "folder of the images, which are then read; or one for each file", many=True)
    check.add_argument("--first", type=int, default=5, help="records named of each problem")
    show = commands.add_parser("show", help="draw people with their skeletons")
    show.description = "Writes a contact sheet; without images, of the points alone."
    _add_file(show, "folder of its images")
    show.add_argument("--out", type=Path, default=Path("sheet.png"), help="PNG to write")
    show.add_argument("--number", type=int, default=24, help="of people, drawn by lot")
    show.add_argument("--seed", type=int, default=0, help="of the lot")
    show.add_argument("--id", nargs="+", default=[], help="annotations to draw instead")
    twice = commands.add_parser("tolerances", help="OKS tolerances, from people annotated twice")
    twice.description = (
        "Two files of the same images by different annotators: sigma of each joint is the root of "
        "the mean of distance squared over area, as COCO states it."
    )
    words = "annotations in COCO's format, .json or .json.gz"
    twice.add_argument("file", type=Path, nargs=2, help=words)
    twice.add_argument("--category", help="name or id, where several have keypoints")
    coco = commands.add_parser("convert", help="write annotations of other formats as COCO's")
    coco.description = (
        "yolo: data.yaml. deeplabcut and lightning_pose: CollectedData*.csv, one or more. sleap: a "
        ".slp file. mpii: train.json or valid.json, the official .mat or both. aic: its JSON."
    )
    coco.add_argument("format", choices=FORMATS)
    coco.add_argument("source", type=Path, nargs="+", help="file of annotations")
    coco.add_argument("--out", type=Path, required=True, help="JSON to write")
    coco.add_argument("--split", default="train", help="of yolo: train, val or test")
    shard = commands.add_parser("shard", help="pack images into few files")
    shard.description = (
        "Writes tar files, as WebDataset has them, and an index; every data set takes the folder "
        "in place of that of its images. The files of annotations stay as they are."
    )
    shard.add_argument("file", type=Path, nargs="+", help=words)
    shard.add_argument("--images", type=Path, required=True, help="folder their images are in")
    shard.add_argument("--out", type=Path, required=True, help="new folder for the shards")
    shard.add_argument("--megabytes", type=int, default=256, help="of a shard (%(default)s)")
    return parser.parse_args()


def _add_file(parser: argparse.ArgumentParser, images: str, many: bool = False) -> None:
    several: Any = {"nargs": "+"} if many else {}
    words = "annotations in COCO's format, .json or .json.gz"
    parser.add_argument("file", type=Path, help=words, **several)
    parser.add_argument("--images", type=Path, help=images, **several)
    parser.add_argument("--category", help="name or id, where several have keypoints")
    parser.add_argument("--channels", type=int, default=3, help="of an image: backbone.in_chans")


if __name__ == "__main__":
    main()
