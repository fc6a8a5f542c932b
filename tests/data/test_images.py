import os

import numpy as np
import pictures
import pytest
import simplejpeg
from PIL import Image

from heatmap_research.data import images
from heatmap_research.data.buffers import Buffers
from heatmap_research.data.images import UnreadableError
from heatmap_research.types import IncompatibleError

RGB = np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)
GREY = RGB[..., 0]
LUMINANCE = RGB @ [0.299, 0.587, 0.114]


def read(path, channels=3, size=(20, 12)):
    pixels, factor = images.read(str(path), channels, size)
    assert factor == 1
    return pixels[..., :channels]


def saved(path, array, mode=None, **options):
    image = Image.fromarray(array)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


# --- kinds of files


@pytest.mark.parametrize("ending", ["png", "bmp", "tiff", "webp"])
def test_colours_are_read_as_red_green_blue(tmp_path, ending):
    options = {"lossless": True} if ending == "webp" else {}
    assert np.array_equal(read(saved(tmp_path / f"a.{ending}", RGB, **options)), RGB)


def test_a_jpeg_is_read_as_another_decoder_reads_it(tmp_path):
    smooth = np.asarray(Image.fromarray(RGB).resize((64, 48), Image.Resampling.BICUBIC))
    path = saved(tmp_path / "a.jpg", smooth, quality=95)
    theirs = np.asarray(Image.open(path)).astype(int)
    assert np.abs(read(path, size=(64, 48)) - theirs).max() <= 2


def test_grey_is_repeated(tmp_path):
    for path in (tmp_path / "a.png", tmp_path / "a.jpg"):
        found = read(saved(path, GREY))
        assert np.array_equal(found[..., 0], found[..., 1])
        assert np.array_equal(found[..., 0], found[..., 2])
    assert np.array_equal(read(tmp_path / "a.png")[..., 0], GREY)


def test_one_channel_is_luminance(tmp_path):
    found = read(saved(tmp_path / "a.png", RGB), channels=1)[..., 0]
    assert np.abs(found - LUMINANCE).max() <= 1
    smooth = np.asarray(Image.fromarray(RGB).resize((64, 48), Image.Resampling.BICUBIC))
    found = read(saved(tmp_path / "a.jpg", smooth, quality=98), channels=1, size=(64, 48))[..., 0]
    assert np.abs(found - smooth @ [0.299, 0.587, 0.114]).max() <= 6


def test_what_is_transparent_is_black(tmp_path):
    alpha = np.zeros((12, 20, 1), np.uint8)
    alpha[:, 10:] = 255
    found = read(saved(tmp_path / "a.png", np.concatenate([RGB, alpha], axis=2)))
    assert not found[:, :10].any()
    assert np.array_equal(found[:, 10:], RGB[:, 10:])
    found = read(saved(tmp_path / "b.png", np.concatenate([GREY[..., None], alpha], axis=2)))
    assert not found[:, :10].any()
    assert np.array_equal(found[:, 10:, 1], GREY[:, 10:])


def test_a_palette_is_looked_up(tmp_path):
    few = RGB // 128 * 255
    assert np.array_equal(read(saved(tmp_path / "a.png", few, "P")), few)


def test_inks_become_light(tmp_path):
    wide = np.full((12, 20, 3), (200, 100, 50), np.uint8)
    found = read(saved(tmp_path / "a.jpg", wide, "CMYK", quality=98))
    assert np.abs(found.astype(int) - wide).max() <= 4


def test_of_16_bits_the_high_byte_is_read(tmp_path):
    deep = GREY.astype(np.uint16) * 256 + 200
    found = read(saved(tmp_path / "a.png", deep), channels=1)
    assert np.array_equal(found[..., 0], GREY)
    assert np.array_equal(read(saved(tmp_path / "a.tiff", deep))[..., 2], GREY)


def test_black_and_white_are_0_and_255(tmp_path):
    found = read(saved(tmp_path / "a.png", GREY // 128 * 255, "1"))
    assert np.array_equal(found[..., 0], GREY // 128 * 255)


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_a_picture_lies_as_its_annotation_says(tmp_path, ending):
    """Orientation 6: to be seen upright it is turned right by a quarter."""
    exif = Image.Exif()
    exif[0x0112] = 6
    wide = np.zeros((16, 32, 3), np.uint8)
    wide[:, :16] = 200
    path = saved(tmp_path / f"a.{ending}", wide, exif=exif)
    as_stored, upright = read(path, size=(32, 16)), read(path, size=(16, 32))
    assert as_stored[:, :12].min() > 150 > 50 > as_stored[:, 20:].max()
    assert upright[:12].min() > 150 > 50 > upright[20:].max()
    assert np.array_equal(read(path, size=None), upright)


# --- arrays


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_arrays_have_any_number_of_channels_first_or_last(tmp_path, channels):
    array = np.random.default_rng(1).integers(0, 256, (12, 20, channels), dtype=np.uint8)
    for name, layout in (("last", array), ("first", np.moveaxis(array, -1, 0))):
        np.save(path := tmp_path / f"{name}.npy", layout)
        assert np.array_equal(read(path, channels), array)
        assert np.array_equal(read(path, channels, size=None), array)


def test_an_array_of_two_axes_has_one_channel(tmp_path):
    np.save(path := tmp_path / "a.npy", GREY)
    assert np.array_equal(read(path, 1)[..., 0], GREY)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_floats_from_0_to_1_become_255_levels(tmp_path, kind):
    np.save(path := tmp_path / "a.npy", (RGB / 255).astype(kind))
    assert np.array_equal(read(path), RGB)


def test_long_integers_of_an_array_lose_the_low_byte(tmp_path):
    np.save(path := tmp_path / "a.npy", RGB.astype(np.uint16) * 256 + 17)
    assert np.array_equal(read(path), RGB)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.full((12, 20), np.nan), r"floats outside \[0, 1\]"),
        (np.full((12, 20), 1.5), r"floats outside \[0, 1\]"),
        (np.zeros((12, 20), np.int64), "holds int64"),
        (np.zeros((12,), np.uint8), "has 1 axes"),
        (np.zeros((10, 20), np.uint8), "20x10, and annotated as 20x12"),
    ],
)
def test_an_array_that_cannot_be_meant_is_refused(tmp_path, array, words):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(UnreadableError, match=words) as refusal:
        read(tmp_path / "a.npy", channels=1)
    assert "a.npy" in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"nothing of the kind" * 10])
def test_an_array_file_that_is_damaged_is_named(tmp_path, content):
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(UnreadableError, match=r"a\.npy cannot be read: .") as refusal:
        read(tmp_path / "a.npy")
    assert "\n" not in str(refusal.value)


def test_a_truncated_array_file_is_named(tmp_path):
    np.save(path := tmp_path / "a.npy", RGB)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(UnreadableError, match=r"a\.npy cannot be read: ."):
        read(path)


def test_channels_that_the_backbone_does_not_take_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", RGB)
    with pytest.raises(IncompatibleError, match=r"a\.npy has 3 channel.*in_chans=5"):
        read(tmp_path / "a.npy", channels=5)
    with pytest.raises(IncompatibleError, match=r"a\.png is a picture.*in_chans=5"):
        read(saved(tmp_path / "a.png", RGB), channels=5)


# --- damage


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UnreadableError, match=r"a\.jpg is missing"):
        read(tmp_path / "a.jpg")


@pytest.mark.parametrize("ending", ["jpg", "png"])
@pytest.mark.parametrize("damage", ["truncated", "empty", "other"])
def test_a_damaged_picture_is_named_in_one_line(tmp_path, ending, damage):
    path = saved(tmp_path / f"a.{ending}", np.tile(RGB, (20, 20, 1)))
    content = path.read_bytes()
    path.write_bytes({"truncated": content[: len(content) // 2], "empty": b""}.get(damage, b"no"))
    with pytest.raises(UnreadableError, match=rf"a\.{ending} cannot be read: .") as refusal:
        read(path, size=(400, 240))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("ending", ["png", "npy"])
def test_what_has_no_end_is_not_read(tmp_path, ending):
    os.mkfifo(waiting := tmp_path / f"fifo.{ending}")
    (endless := tmp_path / f"endless.{ending}").symlink_to("/dev/zero")
    for path in (waiting, endless, tmp_path):
        with pytest.raises(UnreadableError, match="it is no regular file"):
            read(path)


@pytest.mark.parametrize("ending", ["png", "npy"])
def test_a_file_of_more_than_a_gibibyte_is_not_read(tmp_path, ending):
    with (path := tmp_path / f"a.{ending}").open("wb") as file:
        file.truncate(2**30 + 1)  # which takes no room on a disk
    with pytest.raises(UnreadableError, match="1073741825 bytes, and no more than 1073741824 are"):
        read(path)


def test_a_picture_of_another_size_than_annotated_is_refused(tmp_path):
    path = saved(tmp_path / "a.png", RGB)
    with pytest.raises(
        UnreadableError, match=r"a\.png cannot be read: it is 20x12, and annotated as 30x12"
    ):
        read(path, size=(30, 12))


def test_odd_bytes_that_hide_no_pixel_do_no_harm(tmp_path):
    path = saved(tmp_path / "a.jpg", GREY)
    path.write_bytes(path.read_bytes() + b"behind the end")
    assert read(path).shape == (12, 20, 3)


# --- reduced decoding and warping


@pytest.mark.parametrize(("spacing", "factor"), [(0.3, 1), (1.99, 1), (2.0, 2), (3.9, 2), (9.0, 8)])
def test_no_reduction_is_coarser_than_the_crop(spacing, factor):
    assert images.reduction(spacing) == factor


@pytest.mark.parametrize("factor", [1, 2, 4, 8])
@pytest.mark.parametrize("size", [(640, 480), (635, 473)])
def test_pixel_n_of_a_reduced_jpeg_is_the_middle_of_those_it_covers(tmp_path, factor, size):
    where = np.array([301.37, 222.81])
    picture = pictures.blob(*where, size=size, radius=80.0, dark=20)
    pictures.jpeg(path := tmp_path / "a.jpg", picture)
    pixels, had = images.read(str(path), 3, size, factor)
    assert had == factor
    assert pixels.shape[:2] == (-(-size[1] // factor), -(-size[0] // factor))
    around = [
        slice(round(m / factor - 110 / factor), round(m / factor + 110 / factor)) for m in where
    ]
    found = pictures.centroid(pixels[around[1], around[0], 0], dark=20)
    found += (around[0].start, around[1].start)
    assert np.abs(found - (where - (factor - 1) / 2) / factor).max() < 0.01


def test_a_reduced_picture_is_the_mean_of_what_it_covers(tmp_path):
    small = np.random.default_rng(2).normal(128, 40, (12, 16)).clip(0, 255).astype(np.uint8)
    smooth = np.asarray(Image.fromarray(small).resize((128, 96), Image.Resampling.BICUBIC))
    pictures.jpeg(path := tmp_path / "a.jpg", smooth, 100)
    half, _ = images.read(str(path), 1, (128, 96), 2)
    mean = smooth.reshape(48, 2, 64, 2).mean((1, 3))
    assert np.abs(half[..., 0] - mean).max() < 3


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 9])
def test_a_warp_is_the_bilinear_sum_of_four_pixels(channels):
    random = np.random.default_rng(3)
    pixels = random.integers(0, 256, (30, 40, channels), dtype=np.uint8)
    matrix = np.array([[0.9, 0.3, 4.3], [-0.3, 0.9, 9.8]])
    crop = np.empty((channels, 14, 18), np.uint8)
    images.warp(pixels, matrix, crop, Buffers())
    for _ in range(40):
        x, y = random.integers(0, 18), random.integers(0, 14)
        u, v = matrix @ (x, y, 1)
        left, top = int(u), int(v)
        a, b = u - left, v - top
        four = pixels[top : top + 2, left : left + 2].astype(float)
        row = four[:, 0] * (1 - a) + four[:, 1] * a
        assert np.abs(crop[:, y, x] - (row[0] * (1 - b) + row[1] * b)).max() < 1


def test_beyond_the_border_is_black():
    pixels = np.full((10, 10, 3), 200, np.uint8)
    crop = np.empty((3, 10, 10), np.uint8)
    images.warp(pixels, np.array([[1.0, 0, -5], [0, 1, 0]]), crop, Buffers())
    assert not crop[:, :, :5].any()
    assert (crop[:, :, 5:] == 200).all()


def test_memory_that_is_held_is_not_given_again():
    buffers = Buffers()
    held = [buffers.take(4, 5) for _ in range(20)]
    for number, block in enumerate(held):
        block[:] = number
    assert [int(block.max()) for block in held] == list(range(20))
    first = buffers.take(7).__array_interface__["data"][0]
    assert buffers.take(7).__array_interface__["data"][0] == first


def test_simplejpeg_is_strict_about_what_is_cut_off():
    content = simplejpeg.encode_jpeg(np.tile(RGB, (8, 8, 1)))
    with pytest.raises(ValueError, match=r"."):
        simplejpeg.decode_jpeg(content[: len(content) // 2])
