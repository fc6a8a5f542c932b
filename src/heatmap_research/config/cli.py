"""Runs a command through Hydra: where conf/ lies, and what went wrong in one line."""

import functools
import gc
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from heatmap_research.config.values import check_root, did_you_mean, readable_decoders, watched
from heatmap_research.runs import sweep
from heatmap_research.types import IncompatibleError

EXTRAS = {"joblib": "joblib", "submitit_local": "slurm", "submitit_slurm": "slurm"}


def conf_folder() -> Path:
    """In a wheel the package brings its copy; a checkout has it at the top."""
    package = Path(__file__).parents[1]
    inside = package / "conf"
    return inside if inside.is_dir() else package.parents[1] / "conf"


def run(name: str, job: Callable[[DictConfig], Any], config: str | None = None) -> None:
    """`heatmap-<name>`: composes conf/<config>.yaml with the command line and hands it to a job."""
    wants_traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors come to us instead of Hydra's own report
    sys.argv[1:] = _for_hydra(sys.argv[1:])
    errors = () if wants_traceback else (HydraException, OmegaConfBaseException, IncompatibleError)
    entered, unfinished = [], []

    @functools.wraps(job)
    def guarded(cfg: DictConfig) -> Any:
        entered.append(cfg)
        if in_sweep():
            return unfinished.extend(_survived(name, job, cfg, wants_traceback))
        try:
            return job(cfg)
        except errors as error:  # inside the job, where Hydra would add lines of its own
            sys.exit(f"heatmap-{name}: {in_a_line(error)}")

    main = hydra.main(
        version_base="1.3", config_path=str(conf_folder()), config_name=config or name
    )
    try:
        main(guarded)()
    except errors as error:
        sys.exit(f"heatmap-{name}: {in_a_line(error)}")
    except KeyboardInterrupt:
        print(f"heatmap-{name}: stopped.", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        if words := _of_hydra(error, bool(entered)):
            sys.exit(f"heatmap-{name}: {words}")
        if not sweep.begun():
            raise
        unfinished.append(f"a launcher's process: {in_a_line(error)}")
    if lines := sweep.conclude() or unfinished:  # by records: jobs may have had other processes
        sys.exit("\n  ".join([f"heatmap-{name}: {len(lines)} of the jobs did not finish:", *lines]))


def _survived(
    name: str, job: Callable[[DictConfig], Any], cfg: DictConfig, wants_traceback: bool
) -> list[str]:
    """A job of a sweep, after which the others go on; what went wrong, if anything did."""
    try:
        job(cfg)
    except Exception as error:
        ours = isinstance(error, (HydraException, OmegaConfBaseException, IncompatibleError))
        kind = "" if ours else f"{type(error).__name__}: "
        if wants_traceback:
            traceback.print_exc()
        line = f"{kind}{in_a_line(error)}  [{' '.join(HydraConfig.get().overrides.task)}]"
    else:
        return []
    gc.collect()  # what the job held on the device
    print(f"heatmap-{name}: {line}", file=sys.stderr)
    return [line]


def _of_hydra(error: Exception, entered: bool) -> str:
    """What came before any job, in the user's words."""
    if isinstance(error, ValueError) and "group override" in str(error):
        nulls = [word for word in sys.argv if re.fullmatch(r"\w+=null", word)]
        return f"{' '.join(nulls)}: to leave a group out, write ~GROUP."
    if isinstance(error, OSError) and not entered:
        return f"{error.filename}: {error.strerror}; choose another folder."
    return ""


def _for_hydra(arguments: list[str]) -> list[str]:
    """Hydra composes a sweep once without the options it goes through, and there refuses keys that
    only these have; as a choice of one value, a key is left out there as well. What all jobs share
    is left out of their folders' names."""
    if not {"-m", "--multirun"} & set(arguments):
        return arguments
    shared = [a.lstrip("+~").partition("=")[0] for a in arguments if "=" in a and not _sweeps(a)]
    keys = ",".join(f'"{key}"' for key in shared if not key.startswith("hydra"))
    same = f"hydra.job.config.override_dirname.exclude_keys=[{keys}]"
    return [*(_as_choice(argument) for argument in arguments), same]


def _as_choice(argument: str) -> str:
    key, _, value = argument.partition("=")
    below = re.fullmatch(r"\+{0,2}(?!hydra\.)\w+(\.[\w-]+)+", key)
    alone = f"{key}=choice({value})"
    return alone if below and value and not _sweeps(argument) and _sweeps(alone) else argument


def _sweeps(argument: str) -> bool:
    try:
        return bool(OverridesParser.create().parse_override(argument).is_sweep_override())
    except HydraException:
        return False


def in_a_line(error: Exception) -> str:
    text = str(error)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return _no_such_option(error)
    if isinstance(error, OverrideParseException):
        return f"{error.override}: this cannot be read ({' '.join(text.split())})."
    if match := re.search(r"Could not override '([^']+)'", text):
        return f"{match[1]}: there is no such key.{did_you_mean(match[1], _known_keys(match[1]))}"
    if match := re.search(r"Key '([^']+)' is not in struct", text):
        key = found[1] if (found := re.search(r"full_key: (\S+)", text)) else match[1]
        return f"{key}: there is no such key.{did_you_mean(key, _known_keys(key))}"
    if match := re.search(r"Missing mandatory value: (\S+)", text):
        return f"{match[1]}: nothing is given, and what was chosen needs it; add {match[1]}=..."
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if match := re.match("IncompatibleError raised while resolving interpolation: (.+)", text):
        return match[1]
    if text.startswith("Caught ") and lines:  # in a process that loads data: its last words
        return lines[-1].partition(": ")[2] or lines[-1]
    return lines[0] if lines else type(error).__name__


def complete(cfg: DictConfig) -> list[str]:
    """Refuses keys nobody reads, and puts the decoders in place that `all` or `main` stands for.

    Returns those it leaves out, because they cannot read this codec's maps.
    """
    _refuse_additions(cfg)
    check_root(cfg)
    stood_for = _stood_for(cfg.decoder)
    if not stood_for:
        return []
    options = _decoders(tuple(stood_for))
    able = readable_decoders(cfg, options.decoder)
    named = {name: node for name, node in cfg.decoder.items() if "_target_" in _mapping(node)}
    with open_dict(cfg):
        cfg.decoder = {name: options.decoder[name] for name, reads in able.items() if reads} | named
    if "monitor" in cfg:
        watched(cfg)
    return [name for name, reads in able.items() if not reads and name not in named]


def _stood_for(decoders: DictConfig) -> list[str]:
    """A list stands for the options it names, anything else that is no decoder for every one."""
    names: list[str] = []
    for node in decoders.values():
        if isinstance(node, ListConfig):
            names += node
        elif "_target_" not in _mapping(node):
            names += GlobalHydra.instance().config_loader().get_group_options("decoder")
    return [name for name in dict.fromkeys(names) if name not in ("all", "main")]


def _mapping(node: Any) -> Any:
    return node if isinstance(node, DictConfig) else {}


@functools.cache
def _decoders(names: tuple[str, ...]) -> DictConfig:
    return hydra.compose(overrides=[f"+decoder=[{','.join(names)}]"])


def in_sweep() -> bool:
    return HydraConfig.get().mode == hydra.types.RunMode.MULTIRUN


def _no_such_option(error: MissingConfigException) -> str:
    path = str(error.missing_cfg_file)
    group, _, option = path.rpartition("/")
    known = list(error.options or []) or sorted(f.stem for f in conf_folder().glob(f"{group}/*"))
    if extra := EXTRAS.get(option):
        return f"{group}={option} is not installed: pip install 'heatmap-research[{extra}]'."
    return (
        f"{group}={option}: there is no such {group}; choose {', '.join(known)}."
        f"{did_you_mean(option, known)}"
    )


def _known_keys(path: str) -> list[str]:
    """Every key and group that conf/ names; of a key within another, those it has anywhere."""
    parents = path.split(".")[:-1]
    conf = conf_folder()
    files = list(conf.rglob("*.yaml"))
    pairs = [("", file.parent.name) for file in files]
    for file in files:
        tree = OmegaConf.to_container(OmegaConf.load(file))
        for above in (file.parent.name, file.stem):
            pairs += _pairs(tree, above)
    return sorted({key for above, key in pairs if not parents or above == parents[-1]})


def _pairs(tree: Any, above: str) -> Iterator[tuple[str, str]]:
    for key, value in tree.items() if isinstance(tree, dict) else ():
        yield above, str(key)
        yield from _pairs(value, str(key))


def _refuse_additions(cfg: DictConfig) -> None:
    """A key added by hand has a reader only where a signature, checked elsewhere, takes it."""
    for text in HydraConfig.get().overrides.task:
        if not text.startswith("+") or text.startswith(("+change.", "+tune.space.")):
            continue
        path = text.lstrip("+").partition("=")[0].partition("@")[0]
        parents = path.split(".")[:-1]
        nodes = [OmegaConf.select(cfg, ".".join(parents[: i + 1])) for i in range(len(parents))]
        if any(isinstance(node, DictConfig) and "_target_" in node for node in nodes):
            continue
        if (not parents and _is_group(path)) or (text.startswith("++") and _is_there(path)):
            continue
        raise IncompatibleError(
            f"{text.lstrip('+')}: nothing reads this key.{did_you_mean(path, _known_keys(path))}"
        )


def _is_there(path: str) -> bool:
    """Without the overrides that add it."""
    job = HydraConfig.get()
    rest = [text for text in job.overrides.task if not text.startswith("+")]
    missing = object()
    base = hydra.compose(job.job.config_name, rest)
    return OmegaConf.select(base, path, default=missing) is not missing


def _is_group(name: str) -> bool:
    return name in GlobalHydra.instance().config_loader().list_groups("")


def choices(job: Any = None) -> dict[str, Any]:
    """Which option of each group this config, or another one's part `hydra`, was made of."""
    job = job or HydraConfig.get()
    chosen = {str(k): v for k, v in job.runtime.choices.items()}
    changes = [text for text in job.overrides.task if re.match("(head|loss)=", text)]
    if changes and chosen.get("arm"):
        chosen["arm"] = " ".join([chosen["arm"], "with", *changes])
    if str(chosen.get("experiment")).startswith("published/"):
        chosen["arm"] = chosen["experiment"]  # it chooses all that an arm does, and more
    return {name: choice for name, choice in chosen.items() if not name.startswith("hydra/")}


LONGEST = 128  # letters of a name that wandb takes
# Where, how fast and before whose eyes a job runs: no part of its name.
UNSAID = (
    *("arm=", "experiment=", "study=", "logger", "callback", "hydra", "output_dir=", "resume="),
    *("trainer.accelerator=", "trainer.devices=", "data.workers=", "data.cache=", "data.root="),
)


def name_in_loggers(cfg: DictConfig) -> None:
    """The study a job belongs to, and what it tries, for loggers that leave both open."""
    with open_dict(cfg):
        for node in cfg.logger.values():
            for key, said in (("group", _study(cfg)), ("name", _trial(cfg))):
                if key in node and node[key] is None:
                    node[key] = said


def _study(cfg: DictConfig) -> str | None:
    """A study or an experiment by its name, another sweep by its folder's."""
    job = HydraConfig.get()
    if named := cfg.get("study") or job.runtime.choices.get("experiment"):
        return str(named)
    if not in_sweep():
        return None
    sweep = Path(job.sweep.dir)
    only_a_time = re.fullmatch(r"\d\d-\d\d-\d\d", sweep.name)
    return f"{sweep.parent.name}/{sweep.name}" if only_a_time else sweep.name


def _trial(cfg: DictConfig) -> str:
    """The arm and what is tried with it, as it was typed; in a named study, what varies there."""
    arm = str(choices().get("arm") or "custom").partition(" with ")[0]
    job = HydraConfig.get()
    varied = tuple(f"{key}=" for key in job.sweeper.get("params") or {})
    asked = [text for text in job.overrides.task if not text.startswith(UNSAID)]
    asked = [text for text in asked if not varied or text.startswith(varied)]
    seed = [] if any(text.startswith("seed=") for text in asked) else [f"seed={cfg.seed}"]
    return " ".join([arm, *asked, *seed])[:LONGEST]
