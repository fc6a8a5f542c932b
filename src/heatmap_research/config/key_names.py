"""Which key may have been meant by one that there is not."""

from collections.abc import Iterator
from typing import Any

from omegaconf import OmegaConf

from heatmap_research.config.conf import conf_folder
from heatmap_research.config.instantiate import did_you_mean

# What other code bases call a key of ours.
OTHERS = {
    **dict.fromkeys(("learningrate", "lr_rate", "base_lr"), "optimizer.lr"),
    **dict.fromkeys(("wd", "decay"), "optimizer.weight_decay"),
    **dict.fromkeys(("steps", "iterations", "max_iters"), "trainer.max_steps"),
    **dict.fromkeys(
        ("epochs", "num_epochs", "max_epochs"), "trainer.max_epochs (with trainer.max_steps=-1)"
    ),
    **dict.fromkeys(("batch", "bs"), "data.batch_size"),
    **dict.fromkeys(("num_workers", "n_workers"), "data.workers"),
    **dict.fromkeys(("img_size", "imgsz", "input_size", "size"), "image_size=[HEIGHT,WIDTH]"),
    **dict.fromkeys(("model", "network", "net", "encoder"), "backbone or arm"),
    **dict.fromkeys(("dataset", "datasets"), "data"),
    **dict.fromkeys(("optim", "optimiser"), "optimizer"),
    **dict.fromkeys(("scheduler", "lr_scheduler", "lr_schedule"), "schedule"),
    **dict.fromkeys(("criterion", "loss_fn"), "loss"),
    **dict.fromkeys(("device", "gpu", "gpus", "cuda"), "trainer=gpu (and trainer.devices)"),
    **dict.fromkeys(("augmentation", "augmentations", "transforms"), "augment"),
    **dict.fromkeys(("output", "out", "save_dir", "log_dir", "outdir"), "name=NAME, in outputs"),
    **dict.fromkeys(("random_seed", "manual_seed", "seeds"), "seed"),
    **dict.fromkeys(("codec", "layout", "representation"), "arm"),
    **dict.fromkeys(("fp16", "bf16", "amp", "half"), "trainer.precision"),
}

MANY = 3  # keys that are named where several have the same last word


def right_key(key: str) -> str:
    """A sentence with the key that was probably meant, or nothing."""
    if ours := OTHERS.get(key):
        return f" Did you mean {ours}?"
    if found := [path for path in _paths() if path.rpartition(".")[2] == key]:
        shallow = min(path.count(".") for path in found)
        nearest = sorted(path for path in found if path.count(".") == shallow)
        return f" Did you mean {' or '.join(nearest[:MANY])}?"
    return did_you_mean(key, known_keys(key))


def _paths() -> set[str]:
    """The keys of all options, as they are given on the command line."""
    files = [f for f in conf_folder().glob("*/*.yaml") if "@package" not in f.read_text()]
    trees = [(OmegaConf.to_container(OmegaConf.load(file)), file.parent.name) for file in files]
    return {path for tree, group in trees for path in _below(tree, group)}


def _below(tree: Any, above: str) -> Iterator[str]:
    for key, value in tree.items() if isinstance(tree, dict) else ():
        if not (isinstance(value, dict) and "_target_" in value):  # an option's own name
            yield f"{above}.{key}"
        yield from _below(value, f"{above}.{key}")


def known_keys(path: str) -> list[str]:
    """Every key and group that conf/ names; of a key within another, those it has anywhere."""
    parents = path.split(".")[:-1]
    pairs = []
    for file in conf_folder().rglob("*.yaml"):
        tree = OmegaConf.to_container(OmegaConf.load(file))
        group = file.parent.name
        pairs += [("", group), *_pairs(tree, group), *_pairs(tree, file.stem)]
    return sorted({key for above, key in pairs if not parents or above == parents[-1]})


def _pairs(tree: Any, above: str) -> Iterator[tuple[str, str]]:
    for key, value in tree.items() if isinstance(tree, dict) else ():
        yield above, str(key)
        yield from _pairs(value, str(key))
