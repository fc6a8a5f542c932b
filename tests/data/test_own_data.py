"""Own data as people have them: ten formats are taken, and natural mistakes end in a line.

A line says what is wrong, where, and what to do instead.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import running
from pairwise import each
from PIL import Image

from heatmap_research.config.error_words import REFUSALS, in_words
from heatmap_research.config.job import prepare
from heatmap_research.data.annotations import read
from heatmap_research.data.converters import deeplabcut, lightning_pose, yolo
from heatmap_research.training import build

NAMES = ["snout", "left_ear", "right_ear"]
MICE = 8


def content(names=NAMES, suffix=".png", **category):
    images = [
        {"id": n, "file_name": f"{n}{suffix}", "width": 40, "height": 30} for n in range(MICE)
    ]
    mice = [
        {"id": n, "image_id": n, "category_id": 1, "bbox": [5, 5, 30, 20], "area": 300}
        | {"keypoints": [v for k in range(len(names)) for v in (10.5 + 5 * k, 8 + 3 * k, 2)]}
        for n in range(MICE)
    ]
    kind = {"id": 1, "name": "mouse", "keypoints": names, **category}
    return {"images": images, "annotations": mice, "categories": [kind]}


def pictures(folder, suffix=".png", mode="RGB"):
    folder.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(0)
    for n in range(MICE):
        shape = (30, 40, 3) if mode == "RGB" else (30, 40)
        high = 2**16 if mode == "I;16" else 256
        pixels = draw.integers(0, high, shape).astype(np.uint16 if mode == "I;16" else np.uint8)
        if suffix == ".npy":
            np.save(folder / f"{n}.npy", pixels)
        else:
            Image.fromarray(pixels).save(folder / f"{n}{suffix}")


def file(folder, what=None, name="mice.json"):
    (folder / name).write_text(json.dumps(what or content()))
    return folder / name


def own(annotations, images, *more):
    def listed(value):
        return f"[{','.join(map(str, value))}]" if isinstance(value, list) else value

    given = [
        f"data.{stage}.{key}={listed(value)}"
        for stage in ("train", "val")
        for key, value in (("annotations", annotations), ("images", images))
    ]
    small = ("image_size=[32,32]", "data.workers=0", "data.batch_size=4")
    return ("data=custom", *given, *small, *more)


def first_batch(*overrides):
    job = prepare(running.compose(*overrides), {})
    build.wire(job)
    data = build.build_data(job)
    return next(iter(data.train_dataloader())), next(iter(data.val_dataloader()))


# --- formats


def of_pictures(suffix, mode):
    def made(folder):
        pictures(folder, suffix, mode)
        return own(file(folder, content(suffix=suffix)), folder)

    return made


def of_several(folder):
    pictures(folder / "a")
    pictures(folder / "b")
    files = [file(folder, name=f"{name}.json") for name in "ab"]
    return own(files, [folder / "a", folder / "b"])


def of_tables(convert):
    def made(folder):
        pictures(folder / "labeled-data")
        heads = ["scorer,Ann,Ann,Ann,Ann", "bodyparts,snout,snout,tail,tail", "coords,x,y,x,y"]
        rows = [f"labeled-data/{n}.png,10,8,20,18" for n in range(MICE)]
        (folder / "CollectedData.csv").write_text("\n".join(heads + rows))
        done = convert([folder / "CollectedData.csv"], folder / "mice.json")
        return own(folder / "mice.json", done.images)

    return made


def of_yolo(folder):
    pictures(folder / "images")
    (folder / "labels").mkdir()
    for n in range(MICE):
        (folder / "labels" / f"{n}.txt").write_text("0 .5 .5 .5 .5 .4 .4 2 .6 .6 1\n")
    (folder / "data.yaml").write_text("train: images\nkpt_shape: [2, 3]\nflip_idx: [1, 0]\n")
    done = yolo.convert(folder / "data.yaml", folder / "mice.json")
    return own(folder / "mice.json", done.images)


def of_gzip(folder):
    import gzip

    pictures(folder)
    (folder / "mice.json.gz").write_bytes(gzip.compress(json.dumps(content()).encode()))
    return own(folder / "mice.json.gz", folder)


FORMATS = {
    "png": of_pictures(".png", "RGB"),
    "jpeg": of_pictures(".jpg", "RGB"),
    "grey png": of_pictures(".png", "L"),
    "16-bit tiff": of_pictures(".tif", "I;16"),
    "arrays": of_pictures(".npy", "RGB"),
    "gzipped": of_gzip,
    "several files": of_several,
    "yolo": of_yolo,
    "deeplabcut": of_tables(deeplabcut.convert),
    "lightning pose": of_tables(lightning_pose.convert),
}  # and SLEAP's, in test_own_formats.py


@pytest.mark.parametrize("name", FORMATS)
def test_ten_formats_are_learnt_from(name, tmp_path):
    train, val = first_batch(*FORMATS[name](tmp_path))
    assert train.image.shape == val.image.shape == (4, 3, 32, 32)
    assert float(val.image.float().std()) > 10  # of the pictures, not of the black around them
    assert (val.visible > 0).all()


# --- mistakes: what is given, from a folder with eight pictures and mice.json, and the words


def changed(**facts):
    """The file, of which the first mouse has other facts."""
    mice = content()
    mice["annotations"][0] |= facts
    return mice


def spoilt(change, *more):
    def given(folder):
        return own(file(folder, change() if callable(change) else change), folder, *more)

    return given


def with_(*more):
    return lambda folder: own(folder / "mice.json", folder, *more)


def shares():
    mice = content()
    for mouse in mice["annotations"]:
        mouse["keypoints"] = [0.25, 0.5, 2, 0.5, 0.75, 2, 0.1, 0.2, 2]
    return mice


def broken(folder):
    (folder / "3.png").write_bytes(b"not a picture")
    return own(folder / "mice.json", folder, "data.on_error=skip")


def named(name, text="a: b"):
    def given(folder):
        (folder / name).write_text(text)
        return own(folder / name, folder)

    return given


def other_val(folder):
    other = file(folder, content(names=["snout", "ear", "tail"]), "other.json")
    return (*own(folder / "mice.json", folder), f"data.val.annotations={other}")


MISTAKES = {
    "no data=custom": (
        lambda folder: (f"data.train.annotations={folder}/mice.json",),
        "data.train.annotations: there is no such key here: choose data=custom, and give",
    ),
    "data.root": (with_("data.root=x"), "data.root: there is no such key here: choose data=custom"),
    "no val": (
        lambda folder: own(folder / "mice.json", folder)[:3],
        "data.val.annotations: nothing is given, and what was chosen needs it; add data.val.anno",
    ),
    "a list without brackets": (
        with_("data.train.annotations=a.json,b.json"),
        "for a list write 'data.train.annotations=[a.json,b.json]', in quotes",
    ),
    "data.yaml": (named("data.yaml"), "use heatmap-data convert yolo data.yaml --out A.json"),
    "a table": (named("CollectedData.csv"), "use heatmap-data convert deeplabcut"),
    "SLEAP's file": (named("labels.slp"), "use heatmap-data convert sleap"),
    "results": (named("results.json", "[]"), "this is a list, such as results are, not annot"),
    "the folder for the file": (
        lambda folder: own(folder, folder / "mice.json"),
        "a folder, not a file: give the JSON of annotations itself",
    ),
    "no such file": (lambda f: own(f / "typo.json", f), "typo.json: there is no such file"),
    "no such folder": (lambda f: own(f / "mice.json", f / "x"), "there is no such folder of imag"),
    "the folder above": (
        lambda folder: own(folder / "mice.json", folder.parent),
        "8 of 8 images are: give the folder that their names start from, which",
    ),
    "fewer folders": (
        lambda folder: own([folder / "mice.json", file(folder, name="b.json")], [folder]),
        "images: 1 folders for 2 files of annotations: give one for each file, in their order",
    ),
    "no keypoints": (
        spoilt(lambda: content() | {"categories": [{"id": 1, "name": "mouse"}]}),
        "no category has names of keypoints (categories: mouse)",
    ),
    "shares": (
        spoilt(shares),
        "all keypoints lie between 0 and 1, as shares of the image do: mult",
    ),
    "too few numbers": (spoilt(changed(keypoints=[1, 2, 2])), "annotation 0: keypoints has 3 numb"),
    "visibility": (spoilt(changed(keypoints=[9, 9, 3] * 3)), "visibility is 3.0, not 0, 1 or 2"),
    "corners as a box": (spoilt(changed(bbox=[9, 9, -3, 4])), "negative width or height, -3"),
    "other joints": (other_val, "give files of the same joints, in the same order"),
    "too large a batch": (with_("data.batch_size=64"), "data.batch_size=64 on 1 device(s) is more"),
    "a joint's name": (
        with_("joints=[left_eye]"),
        "joints: there is no left_eye; choose among snout, left_ear, right_ear",
    ),
    "sigmas": (with_("data.sigmas=[0.1]"), "sigmas: 1 values for 3 joints; give one OKS tolerance"),
    "AP without sigmas": (with_("metric=[coco_ap]"), "or give one a joint, data.sigmas=[...]"),
    "widths without sigmas": (with_("widths=oks"), "widths=oks: the annotations give no OKS tole"),
    "monitor=AP": (
        with_("monitor=AP", "callback=[best]"),
        "choose monitor=pixel_error or nme, or g",
    ),
    "the wrong way": (
        with_("monitor=nme", "monitor_mode=max"),
        "of nme less is better, so this would keep the worst weights: leave monitor_mode out",
    ),
    "a side alone": (
        spoilt(content(names=["snout", "left_ear", "tail"]), "flip_test=true"),
        "choose flip_test=false, or give flip_pairs in the category of the annotations",
    ),
    "too few pictures": (with_("data.train.first=9"), "choose fewer, or null for all"),
    "boxes": (with_("data.boxes=detections"), "give the detector's file, data.detections=FILE"),
}


@each(name=list(MISTAKES))
def test_a_natural_mistake_ends_in_a_line_that_says_what_to_do(name, tmp_path):
    folder = tmp_path / str(list(MISTAKES).index(name))
    folder.mkdir()
    pictures(folder)
    file(folder)
    given, words = MISTAKES[name]
    with pytest.raises(REFUSALS) as refusal:  # of anything else a traceback would be shown
        first_batch(*given(folder))
    said = in_words(refusal.value)
    assert words in said
    assert "\n" not in said


def test_a_picture_that_cannot_be_read_is_left_out_and_named(tmp_path, caplog):
    pictures(tmp_path)
    file(tmp_path)
    job = prepare(running.compose(*broken(tmp_path)), {})
    assert len(build.build_data(job).dataset("train")) == MICE - 1
    assert "3.png cannot be read" in caplog.text


def test_whole_numbers_between_0_and_1_are_pixels(tmp_path):
    mice = changed(keypoints=[0, 1, 2, 1, 0, 2, 0, 0, 0])
    mice["annotations"] = mice["annotations"][:1]
    assert read(file(Path(tmp_path), mice)).labelled.tolist() == [2]
