"""Secrets that stand in the environment, and every file that is searched for them."""

import base64
import gzip
import os
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import running
from hostile_tries import TINY, Seen, copied, pictures, refused, scratch
from omegaconf import OmegaConf

NAMES = (
    *("WANDB_API_KEY", "AWS_SECRET_ACCESS_KEY", "HF_TOKEN", "GITHUB_TOKEN", "MY_PASSWORD"),
    *("SLURM_JWT", "DATABASE_URL"),
)
SECRETS = {
    name: f"{place:02}SECRET{name.replace('_', '')}x9Q4".lower() for place, name in enumerate(NAMES)
}
BLOCK, HEADER = 32768, 7  # bytes, of wandb's files: a header for each part of a record


def plant() -> None:
    """Before any process is started, so that all have them."""
    os.environ |= SECRETS


def found() -> Iterator[Seen]:
    cwd = scratch() / "cwd"
    asks = copied("asks")
    config = OmegaConf.load(asks / ".hydra/config.yaml")
    for line in lines():
        running.succeed(*line.split(), cwd=cwd)
    lost = ["optimizer.lr=1e30", "optimizer=sgd", "logger=wandb"]
    assert running.command("train", *TINY, *lost, f"hydra.run.dir={scratch()}/lost", cwd=cwd).status
    for key, name in zip(("study", "logger.csv.name", "question"), NAMES, strict=False):
        for asked in (f"${{oc.env:{name}}}", f'${{oc.decode:"\\${{oc.env:{name}}}"}}'):
            OmegaConf.update(config, key, asked, force_add=True)
            (asks / ".hydra/config.yaml").write_text(OmegaConf.to_yaml(config))
            yield f"{asked} as {key} of a run: train resume=", refused("train", f"resume={asks}")
            yield f"{asked} as {key} of a run: evaluate", refused("evaluate", f"run={asks}")
    files = [file for file in scratch().rglob("*") if file.is_file()]
    where: dict[str, list[str]] = {name: [] for name in NAMES}
    for file in files:
        contents = list(read(file))
        for name in NAMES:
            if any(form in content for content in contents for form in forms(SECRETS[name])):
                where[name].append(str(file.relative_to(scratch())))
    for name, places in where.items():
        yield f"{name}, in {len(files)} files", f"in {', '.join(places[:5])}" if places else ""


def lines() -> Iterator[str]:
    """What writes most: every logger, an evaluation, a page, exports, trials."""
    place, tiny = scratch() / "logged", " ".join(TINY)
    yield f"train {tiny} logger=[csv,tensorboard,wandb] hydra.run.dir={place}"
    yield f"evaluate run={place}"
    yield f"report {place} --out {scratch()}/logged.html --csv {scratch()}/logged.csv"
    yield f"predict run={place} source={pictures().parent} out={scratch()}/predicted show=true"
    yield f"export run={place} format=safetensors out={scratch()}/exported crops=2"
    yield f"export run={place} out={scratch()}/exported.onnx crops=2"
    trials = "tune.trials=2 tune.startup=1 ~tune.space.sigma"
    yield f"tune {tiny} {trials} tune.folder={scratch()}/tune logger=[csv,wandb]"


def forms(secret: str) -> Iterator[bytes]:
    """As it is, and in base64 wherever it begins."""
    yield secret.encode()
    for before in range(3):
        coded = base64.b64encode(bytes(before) + secret.encode())
        yield coded[4 : 4 * (len(secret) // 3)]


def read(file: Path) -> Iterator[bytes]:
    """The content of a file, and of what is packed in it."""
    yield (content := file.read_bytes())
    if file.suffix == ".wandb":  # whose records are cut at the ends of blocks
        yield b"".join(content[at : at + BLOCK][HEADER:] for at in range(0, len(content), BLOCK))
    elif file.suffix == ".parquet":
        table = pq.read_table(file)
        yield f"{table.schema} {[column.unique() for column in table.columns]}".encode()
    elif content.startswith(b"\x1f\x8b"):
        yield gzip.decompress(content)
    elif zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as packed:
            yield from (packed.read(part) for part in packed.infolist() if part.file_size < 2**28)
    elif tarfile.is_tarfile(file):
        with tarfile.open(file) as packed:
            parts = [packed.extractfile(part) for part in packed.getmembers()]
            yield from (part.read() for part in parts if part)
