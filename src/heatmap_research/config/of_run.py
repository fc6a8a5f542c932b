"""The config of a run that is there, with what is asked for in its place."""

import re
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, ListConfig, OmegaConf

from heatmap_research.config import yaml_file
from heatmap_research.config.conf import conf_folder
from heatmap_research.config.error_words import in_words
from heatmap_research.config.instantiate import with_values
from heatmap_research.config.job import Job, prepare
from heatmap_research.runs import record, table
from heatmap_research.runs.find import Run
from heatmap_research.runs.store import RunStore
from heatmap_research.types import IncompatibleError

GROUPS = ("decoder", "metric", "data", "trainer")  # whose options may be chosen anew
# Keys that an evaluation changes unasked, or may without reading other images.
FREE = ("output_dir", "resume", "logger", "callback", "also", "evaluate", "flip_test")
PLACES = ("root", "annotations", "images", "detections")  # keys of data that name files


def changes_run(
    arguments: Sequence[str], own: Sequence[str], base: Sequence[str] = ()
) -> list[str]:
    """The command line, where a key=value that is not the command's own changes the run's config.

    Keys of `base` are the command's own as well, kept apart from the run's keys of the same name.
    """

    def for_the_run(argument: str) -> str:
        key = re.match(r"\+*([\w.]+)=", argument)
        if key is None or key[1] in own or key[1].startswith("hydra"):
            return argument
        return f"base.{argument}" if key[1] in base else f"+change.{argument.lstrip('+')}"

    return list(map(for_the_run, arguments))


def stored(folder: Path) -> DictConfig:
    """The config that a run was trained with, which needs no file of its data to be read."""
    file = folder / ".hydra" / "config.yaml"
    if not file.is_file():
        raise IncompatibleError(f"run={folder}: this is not the folder of a run.")
    config = yaml_file.load(file)
    return _by_itself(config, record.read_or_empty(folder))


def refuse_instructions(file: Path) -> None:
    """Refuses a stored config that would have Hydra do more than compose it, as none of ours does.

    Hydra makes what stands below `hydra` by itself, looks for `defaults` in other folders, and
    takes what lies in a folder `hydra` beside the config for its own.
    """
    told = [key for key in ("hydra", "defaults") if key in yaml_file.load(file)]
    beside = (each for each in file.parent.iterdir() if each.is_dir() and each.name[0] != ".")
    told += [f"the folder {each.name}" for each in beside]
    if told or re.search(r"^\s*#\s*@", file.read_text(), re.MULTILINE):
        raise IncompatibleError(
            f"{file}: it instructs Hydra ({', '.join(told) or '@package'}), which the config of a "
            "run of ours does not."
        )


def of_record(known: Mapping[str, Any]) -> DictConfig:
    """The same from a record that has been read."""
    return _by_itself(cast(DictConfig, OmegaConf.create(known["config"])), known)


def job_of(config: DictConfig, folder: Path) -> Job:
    """Checks a run's config, as changed; refuses data of other joints than it has learnt."""
    known = record.read(folder, "choices")
    job = prepare(config, known["choices"])
    learnt = tuple((known.get("config") or {}).get("names") or job.schema.names)
    if job.schema.names != learnt:
        raise IncompatibleError(
            f"run={folder} has learnt the joints {', '.join(learnt)}, and these data have "
            f"{', '.join(job.schema.names)}: choose data of the same joints in the same order, or, "
            f"where they have them among others, joints=[{','.join(learnt)}]."
        )
    return job


def changed(cfg: DictConfig, folder: Path) -> DictConfig:
    """The run's own config with what was chosen anew, for an evaluation that logs nothing."""
    return changed_from(stored(folder), cfg, folder)


def changed_from(config: DictConfig, cfg: DictConfig, folder: Path) -> DictConfig:
    """The same where the run's own config is at hand."""
    merged = config.copy()
    for group in GROUPS:
        if cfg[group]:
            merged[group] = cfg[group]
    merged, place = _with_changes(merged, cfg), str(folder / "evaluate" / str(cfg.name))
    return with_values(merged, output_dir=place, resume=None, logger={}, callback={}, also={})


def reads_as_trained(merged: DictConfig, folder: Path) -> bool:
    """Whether an evaluation reads the run's own data, whatever by, with whatever flip test."""
    free = {*FREE, *GROUPS} - {"data"}

    def essence(config: DictConfig) -> str:
        kept = OmegaConf.masked_copy(config, [key for key in config if key not in free])
        plain: Any = OmegaConf.to_container(kept, resolve=True)
        return record.config_hash(plain)

    return essence(stored(folder)) == essence(merged)


def shown(cfg: DictConfig, own: Sequence[str], groups: Sequence[str]) -> DictConfig:
    """The run's own config with the data and decoders that were asked for on the command line."""
    folder = Path(cfg.run)
    merged = stored(folder)
    for text in HydraConfig.get().overrides.task:
        key = re.split("[=@]", text.lstrip("+~"))[0]
        if key in own or key.startswith("change."):
            continue
        if key.split(".")[0] not in groups:
            raise IncompatibleError(
                f"{text}: run={folder} is shown as it was trained; choose only "
                f"{', '.join(groups)} anew, or leave run out."
            )
        OmegaConf.update(merged, key, OmegaConf.select(cfg, key), merge=False, force_add=True)
    return _with_changes(merged, cfg)


def read_by_one(folder: Path, decoder: DictConfig | str | None, flip_test: bool | None) -> Job:
    """A run's job to predict by: with one decoder, and nothing that watches a training.

    The decoder is an option, one of conf/ by its name, or the run's own that is best on val.
    """
    config, known = stored(folder), record.read(folder, *sorted(record.ALWAYS))
    if not isinstance(decoder, DictConfig):
        name = decoder or table.chosen([Run(folder, known)]) or known["decoders"][0]
        decoder = config.decoder if name in config.decoder else option("decoder", name)
        decoder = cast(DictConfig, OmegaConf.create({name: decoder[name]}))
    flip = config.flip_test if flip_test is None else flip_test
    watching: dict[str, Any] = {"output_dir": str(folder), "logger": {}, "callback": {}, "also": {}}
    job = job_of(with_values(config, decoder=decoder, flip_test=flip, **watching), folder)
    if len(job.codec.decoders) != 1:
        asked = ",".join(job.codec.decoders)
        raise IncompatibleError(
            f"decoder=[{asked}]: one decoder reads what is predicted; choose one of them."
        )
    return job


def make_new(folder: Path) -> None:
    """Makes the folder of an evaluation; refuses one that is there."""
    try:
        folder.mkdir(parents=True)
    except FileExistsError as error:
        raise IncompatibleError(
            f"name={folder.name}: {folder} is there already; choose another name."
        ) from error


def weights_of(folder: Path, checkpoint: str) -> Path:
    """The file of a run's weights, or a refusal that names those there are."""
    if checkpoint == "last" and (weights := RunStore(folder).weights).is_file():
        return weights
    file = folder / "checkpoints" / f"{checkpoint}.ckpt"
    if not file.is_file():
        there = sorted(f.stem for f in file.parent.glob("*.ckpt"))
        raise IncompatibleError(
            f"checkpoint={checkpoint}: this run has {', '.join(there) or 'no checkpoint yet'}."
        )
    return file


def option(group: str, name: str) -> DictConfig:
    """An option of conf/, within a command or without."""
    begun = GlobalHydra.instance().is_initialized()
    folder = str(conf_folder())
    try:
        with nullcontext() if begun else initialize_config_dir(folder, version_base="1.3"):
            return cast(DictConfig, compose(overrides=[f"+{group}={name}"])[group])
    except HydraException as error:
        raise IncompatibleError(in_words(error)) from error


def _with_changes(merged: DictConfig, cfg: DictConfig) -> DictConfig:
    OmegaConf.set_struct(merged, True)
    return cast(DictConfig, OmegaConf.merge(merged, cfg.change))


def _by_itself(config: DictConfig, known: Mapping[str, Any]) -> DictConfig:
    """Takes the joints from the record instead of a file, and files from where they were."""
    if schema := known.get("schema"):
        joints = {"_target_": "heatmap_research.types.Schema.of_lists", **schema}
        config.data = with_values(config.data, schema=joints)
    if began := known.get("started_in"):
        _found_again(config.data, Path(began))
    return config


def _found_again(data: DictConfig, began: Path) -> None:
    """Completes relative paths that lead nowhere from here, but did where the run was started."""
    for key, value in data.items_ex(resolve=False):
        if isinstance(value, DictConfig):
            _found_again(value, began)
        elif key in PLACES and isinstance(value, ListConfig):  # several files make one set
            data[key] = [str(began / v) if _lies_there(v, began) else v for v in map(str, value)]
        elif key in PLACES and isinstance(value, str) and _lies_there(value, began):
            data[key] = str(began / value)


def _lies_there(place: str, began: Path) -> bool:
    here = "$" in place or Path(place).expanduser().exists()
    return not here and (began / place).exists()
