"""Files that execute something as they are read carelessly, or that have no end."""

import json
import os
import pickle
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from itertools import count, cycle, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import running
import torch
from hostile_tries import (
    TINY,
    Seen,
    changed,
    copied,
    mark,
    pictures,
    refused,
    run,
    scratch,
    taken,
)
from omegaconf import OmegaConf

GIANT = 40 << 30  # bytes that a bomb unpacks to
COUNT = 1234567  # which nothing else in a file is
NUMBERS = count()


class Runs:
    """As it is unpickled, makes a folder."""

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(mark()),)


def as_torch(file: Path, content: Any) -> None:
    torch.save(content, file)


def as_old_torch(file: Path, content: Any) -> None:
    torch.save(content, file, _use_new_zipfile_serialization=False)


def as_pickle(file: Path, content: Any) -> None:
    file.write_bytes(pickle.dumps(content))


def as_array(file: Path, content: Any) -> None:
    with file.open("wb") as stream:
        np.save(stream, np.array([content], dtype=object), allow_pickle=True)


def as_arrays(file: Path, content: Any) -> None:
    with file.open("wb") as stream:
        np.savez(stream, np.array([content], dtype=object), allow_pickle=True)


FORMS = {
    "torch.save": as_torch,
    "old torch.save": as_old_torch,
    "pickle": as_pickle,
    ".npy": as_array,
    ".npz": as_arrays,
}


def pickles() -> Iterator[Seen]:
    checkpoint = torch.load(run() / "checkpoints/last.ckpt", weights_only=False)
    for form, write in FORMS.items():
        place = copied(f"pickle-{form}".replace(" ", "-"))
        last = place / "checkpoints/last.ckpt"
        (place / "checkpoints/weights.safetensors").unlink()
        write(last, checkpoint | {"loops": Runs()} if "torch" in form else Runs())
        yield from read_as_weights(f"{form} as", place, READERS if form == "torch.save" else FEW)
        file = scratch() / f"picture{form if form[0] == '.' else '.npy'}"
        write(file, Runs())
        predict = ("predict", f"run={run()}", f"out={scratch()}/none")
        if form[0] == ".":
            yield f"{form} as source=", refused(*predict, f"source={file}", "on_error=stop")
        yield f"{form} as boxes=", refused(*predict, f"source={pictures().parent}", f"boxes={file}")
        yield f"{form} as a cached pool of figures", read_as_pool(file)
    np.savez(scratch() / "many.npz", *range(64))
    yield ".npz of as many arrays as a pool", read_as_pool(scratch() / "many.npz")
    yield "an extension type as predictions.parquet: report", read_as_predictions()


READERS = {
    "train resume=": "train resume={place}",
    "evaluate": "evaluate run={place}",
    "export": "export run={place} out={scratch}/none.onnx",
    "predict": "predict run={place} source={pictures} out={scratch}/none",
    "train weights=": "train weights={file} {new}",
    "train backbone.checkpoint=": "train backbone.checkpoint={file} {new}",
}
FEW = {name: READERS[name] for name in ("evaluate", "train weights=")}
THREE = FEW | {name: READERS[name] for name in ("train backbone.checkpoint=",)}


def read_as_weights(what: str, place: Path, readers: dict[str, str]) -> Iterator[Seen]:
    """By commands that read a run's weights, or begin with those of its checkpoint."""
    file = place / "checkpoints/last.ckpt"
    places = {"place": place, "file": file, "scratch": scratch(), "pictures": pictures().parent}
    for name, line in readers.items():
        yield (
            f"{what} last.ckpt: {name}",
            refused(*line.format(**places, new=new()).split(), says=str(file)),
        )


def new() -> str:
    """The rest of a command line that trains in a folder of its own."""
    return " ".join([*TINY, f"hydra.run.dir={scratch()}/new-{next(NUMBERS)}"])


def read_as_pool(file: Path) -> str:
    """A pool that cannot be read is drawn anew, and the run goes on."""
    cache = scratch() / f"cache-{next(NUMBERS)}"
    line = [*new().split(), f"data.cache={cache}"]
    for pool in drawn().glob("*.npy"):
        cache.mkdir(exist_ok=True)
        shutil.copy(file, cache / pool.name)
    return taken("train", *line)


@cache
def drawn() -> Path:
    """The pools of a training."""
    place = scratch() / "drawn"
    running.succeed("train", *new().split(), f"data.cache={place}", cwd=scratch() / "cwd")
    return place


def read_as_predictions() -> str:
    """Old versions of pyarrow unpickled what a column said of its type."""
    place = copied("extension", "finished")
    table = pq.read_table(place / "predictions.parquet")
    told = {
        b"ARROW:extension:name": b"arrow.py_extension_type",
        b"ARROW:extension:metadata": pickle.dumps(Runs()),
    }
    schema = pa.schema([each.with_metadata(told) for each in table.schema])
    pq.write_table(table.cast(schema), place / "predictions.parquet")
    return taken("report", str(place), "--out", f"{scratch()}/extension.html")


def call(*arguments: str, **more: Any) -> dict[str, Any]:
    return {"_target_": arguments[0], "_args_": [*arguments[1:], str(mark())], **more}


def targets() -> Iterator[Seen]:
    """Each in another place of a stranger's run, and in a mapping that a command line may fill."""
    for number, (name, node) in enumerate(forms().items()):
        place, where = copied(f"target-{number}"), PLACES[number % len(PLACES)]
        name_it(place, where, node)
        yield f"{name} as {where}: train resume=", refused("train", f"resume={place}", says=where)
        if number % 2:
            command, *rest = next(OTHERS).format(scratch=scratch()).split()
            yield (
                f"{name} as {where}: {command}",
                refused(command, f"run={place}", *rest, says=where),
            )
        else:
            word = f"backbone.options={{a:{flow(node)}}}"
            seen = refused("train", word, *new().split(), says="backbone")
            yield f"{name} in backbone.options: train", seen
    yield from beside_the_config()
    yield from in_a_record()


def forms() -> dict[str, Any]:
    torch.save(Runs(), code := scratch() / "code.ckpt")
    return {
        "os.mkdir": call("os.mkdir"),
        "_partial_": call("os.mkdir", _partial_=True),
        "functools.partial": call("functools.partial", "os.mkdir"),
        "get_method in a list": {
            "_target_": "functools.partial",
            "_args_": [{"_target_": "hydra.utils.get_method", "path": "os.mkdir"}, str(mark())],
        },
        "hydra.utils.instantiate": {
            "_target_": "hydra.utils.instantiate",
            "config": call("os.mkdir"),
        },
        "hydra.utils.get_object with _args_": call("hydra.utils.get_object", path="torch.nn.ReLU"),
        "in a dict in lists in a dict": {
            "_target_": "torch.nn.ReLU",
            "inplace": {"a": [1, [{"b": call("os.mkdir")}]]},
        },
        "a callback's function": {
            "_target_": "pytorch_lightning.callbacks.LambdaCallback",
            "on_fit_start": call("os.mkdir", _partial_=True),
        },
        "load_from_checkpoint": {
            "_target_": "heatmap_research.training.task.KeypointTask.load_from_checkpoint",
            **{"checkpoint_path": str(code), "weights_only": False},
        },
        "sympy.sympify": {
            "_target_": "sympy.sympify",
            "a": f"__import__('os').mkdir('{mark()}')",
        },
    }


# Parts that a config has, of which others than a training make no callbacks and loggers.
PLACES = ("callback.last", "loss", "logger.csv", "head", "augment", "decoder.argmax")
OTHERS = cycle(("evaluate", "export out={scratch}/none.onnx", "budget"))


def name_it(place: Path, where: str, node: Any) -> None:
    """Puts a part into the config of a run, and into what its record says of it."""
    config = OmegaConf.load(place / ".hydra/config.yaml")
    OmegaConf.update(config, where, node, merge=False, force_add=True)
    (place / ".hydra/config.yaml").write_text(OmegaConf.to_yaml(config))


def flow(node: Any) -> str:
    """A value as Hydra's command line takes it."""
    if isinstance(node, dict):
        return "{" + ",".join(f"{key}:{flow(value)}" for key, value in node.items()) + "}"
    if isinstance(node, list):
        return "[" + ",".join(map(flow, node)) + "]"
    return json.dumps(node)


def beside_the_config() -> Iterator[Seen]:
    """Files that Hydra takes for its own, as it looks for its groups beside a stored config."""
    evil = {"hydra": {"callbacks": {"mine": call("os.mkdir")}}}
    for name in ("launcher/basic", "sweeper/basic", "job_logging/default"):
        place = copied(name.replace("/", "-"))
        file = place / f".hydra/hydra/{name}.yaml"
        file.parent.mkdir(parents=True)
        file.write_text(OmegaConf.to_yaml({"defaults": ["/evil@_global_"]}))
        (place / ".hydra/evil.yaml").write_text(OmegaConf.to_yaml(evil))
        seen = refused("train", f"resume={place}", says="instructs Hydra")
        yield f"hydra/{name}.yaml beside config.yaml: train resume=", seen


def in_a_record() -> Iterator[Seen]:
    """A page is made from run.json, whose config is no file of Hydra's."""
    place = copied("record", "finished")
    config = json.loads((place / "run.json").read_text())["config"]
    changed(place, config=config | {"loss": call("os.mkdir"), "head": call("os.mkdir")})
    page = f"{scratch()}/record.html"
    yield "os.mkdir in run.json: report", taken("report", str(place), "--out", page)
    yield "os.mkdir in run.json: report run=", taken("report", f"run={place}", "--out", page)


def bombs() -> Iterator[Seen]:
    place, last = copied("bomb"), "checkpoints/last.ckpt"
    (place / "checkpoints/weights.safetensors").unlink()
    zipped(place / last, {"a.npy": None})
    yield from read_as_weights(".npz of 40 GiB as", place, THREE)
    torch.save({"state_dict": {"a": torch.zeros(COUNT, dtype=torch.uint8)}}, place / last)
    with zipfile.ZipFile(place / last) as small:
        parts = {name: small.read(name) for name in small.namelist()}
    names = {name.partition("/")[2]: name for name in parts}
    count, more = (b"J" + struct.pack("<i", COUNT)), b"\x8a\x05" + GIANT.to_bytes(5, "little")
    parts[names["data.pkl"]] = parts[names["data.pkl"]].replace(count, more)
    zipped(place / last, parts | {names["data/0"]: None})
    yield from read_as_weights("a tensor of 40 GiB in 40 MB as", place, THREE)
    zipped(bomb := scratch() / "bomb.npy", {"a.npy": None})
    predict = ("predict", f"run={run()}", f"out={scratch()}/none", "on_error=stop")
    yield ".npz of 40 GiB as source=", refused(*predict, f"source={bomb}")
    yield (
        ".npz of 40 GiB as boxes=",
        refused(*predict, f"source={pictures().parent}", f"boxes={bomb}"),
    )
    yield ".npz of 40 GiB as a cached pool of figures", read_as_pool(bomb)
    yield from yamls()
    yield from predictions()
    yield from budgets()


def zipped(file: Path, parts: dict[str, bytes | None]) -> None:
    """An archive of parts; None is `GIANT` zeros, of which each 64 MiB take 65 kB."""
    block = zlib.compressobj(9, wbits=-15)
    zeros = block.compress(bytes(1 << 26)) + block.flush(zlib.Z_FULL_FLUSH)
    places = b""
    with file.open("wb") as stream:
        for name, content in parts.items():
            many = GIANT >> 26 if content is None else 0
            size = GIANT if content is None else len(content)
            packed = size if many == 0 else many * len(zeros) + 2
            extra = struct.pack("<HHQQ", 1, 16, size, packed)
            big = 0xFFFFFFFF
            crc = zlib.crc32(content or b"")
            facts = struct.pack(
                "<HHHHHIIIHH", 45, 0, 8 if many else 0, 0, 33, crc, big, big, len(name), 20
            )
            start = stream.tell()
            stream.write(b"PK\3\4" + facts + name.encode() + extra)
            stream.write(content or b"")
            stream.writelines([zeros] * many + [b"\3\0"] * bool(many))
            places += b"PK\1\2" + struct.pack("<H", 45) + facts
            places += struct.pack("<HHHII", 0, 0, 0, 0, start) + name.encode() + extra
        end = struct.pack("<HHHHIIH", 0, 0, len(parts), len(parts), len(places), stream.tell(), 0)
        stream.write(places + b"PK\5\6" + end)


def yamls() -> Iterator[Seen]:
    """A file of a hundred letters that stands for a billion values."""
    tens = "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]\n" for a, b in pairwise("abcdefghi"))
    for name, lines in READ_YAML.items():
        place = copied(f"yaml-{Path(name).name}", "finished")
        (place / name).write_text("a: &a [1]\n" + tens)
        for line in lines:
            words = line.format(place=place, scratch=scratch()).split()
            yield f"YAML of a billion values as {name}: {words[0]}", refused(*words)


READ_YAML = {
    ".hydra/config.yaml": ["evaluate run={place}", "train resume={place}"],
    ".hydra/overrides.yaml": ["report {place} --out {scratch}/a.html"],
    "multirun.yaml": ["report {place} --out {scratch}/a.html"],
    "question.yaml": ["report {place} --out {scratch}/a.html --question {place}/question.yaml"],
    "data.yaml": ["data convert yolo {place}/data.yaml --out {scratch}/a.json"],
}


def predictions() -> Iterator[Seen]:
    """Rows that are all alike take next to nothing on disk."""
    place = copied("rows", "finished")
    table = pq.read_table(place / "predictions.parquet")
    table = table.slice(table.num_rows - 1)  # of test
    with pq.ParquetWriter(place / "predictions.parquet", table.schema, compression="zstd") as file:
        many = pa.concat_tables([table] * 1000).combine_chunks()
        many = pa.concat_tables([many] * 1000).combine_chunks()
        for _ in range(80):
            file.write_table(many)
    page = f"{scratch()}/rows.html"
    yield (
        "80 million rows in predictions.parquet: report",
        refused("report", str(place), "--out", page),
    )


def budgets() -> Iterator[Seen]:
    """What a page takes from beside a run's record."""
    place = copied("budget", "finished") / "evaluate/budget"
    place.mkdir(parents=True)
    line = ("report", str(place.parents[1]), "--out", f"{scratch()}/budget.html")
    os.mkfifo(file := place / "budget.json")
    yield "a FIFO as budget.json: report", refused(*line, says=str(file))
    file.unlink()
    for what, text in {"nested 100,000 deep": "[" * 100_000, "of another": "{}"}.items():
        file.write_text(text)
        yield f"a budget.json {what}: report", refused(*line, says=str(file))
