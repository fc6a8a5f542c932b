"""Runs a command through Hydra, and says what went wrong in one line."""

import functools
import gc
import logging
import os
import re
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig

from heatmap_research.config import command_line, help, partners, quick, yaml_file
from heatmap_research.config.command_line import quoted
from heatmap_research.config.conf import conf_folder
from heatmap_research.config.error_words import REFUSALS, before_any_job, in_words
from heatmap_research.config.hydra_job import begun, in_sweep
from heatmap_research.config.trusted import without_trust
from heatmap_research.runs import no_place

SHORT = {"lr": "optimizer.lr", "learning_rate": "optimizer.lr"}
PATHS = ("run", "weights", "hydra.run.dir", "resume")  # keys whose values are folders or files
Words = list[str]


def run(
    name: str,
    job: Callable[[DictConfig], Any],
    config: str | None = None,
    translated: Callable[[Words], Words] = list,
) -> None:
    """`heatmap-<name>`: composes conf/<config>.yaml with the command line and hands it to a job.

    `translated` makes, of the words that a user types, those that the config takes.
    """
    wants_traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors come to us instead of Hydra's own report
    refusals = () if wants_traceback else REFUSALS
    logging.raiseExceptions = False  # a log on a full disk would tell so in a traceback a line
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a scheduler's Ctrl-C
    partners.may_help(name)
    entered, unfinished, typed = [], [], sys.argv[1:]

    @functools.wraps(job)
    def guarded(cfg: DictConfig) -> Any:
        entered.append(cfg)
        if in_sweep():
            return unfinished.extend(_survived(name, job, cfg, wants_traceback))
        sys.argv[1:] = typed  # Lightning starts further processes by them, and they translate anew
        with _ending_in_a_line(name, refusals, entered, unfinished):  # Hydra would add lines
            return job(cfg)

    folder = str(conf_folder())
    with _ending_in_a_line(name, refusals, entered, unfinished):
        sys.argv[1:] = _words(name, config or name, translated)
        quick.composing_once()
        yaml_file.keeping_whole()
        hydra.main(version_base="1.3", config_path=folder, config_name=config or name)(guarded)()
    with _ending_in_a_line(name, refusals, entered, unfinished):
        partners.wait()
    if not partners.is_partner():  # the first process says how all jobs ended
        _conclude(name, unfinished)


@contextmanager
def _ending_in_a_line(
    name: str, refusals: tuple[type[Exception], ...], entered: list[DictConfig], unfinished: Words
) -> Iterator[None]:
    """Ends the process with what went wrong, in a line; of a sweep, notes it as unfinished."""
    try:
        yield
    except refusals as error:
        sys.exit(f"heatmap-{name}: {in_words(error)}")
    except BrokenPipeError:
        no_place.end_unread()
    except KeyboardInterrupt:
        print(f"heatmap-{name}: stopped.", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        if words := before_any_job(error, bool(entered)):
            sys.exit(f"heatmap-{name}: {words}")
        if begun() is None:
            raise
        unfinished.append(f"a launcher's process: {in_words(error)}")


def _conclude(name: str, unfinished: Words) -> None:
    """Ends with a line for each job that did not finish, if there is one."""
    sweep = begun()  # whose records tell more: its jobs may have had processes of their own
    if lines := (sweep.conclude() if sweep else []) or unfinished:
        sys.exit("\n  ".join([f"heatmap-{name}: {len(lines)} of the jobs did not finish:", *lines]))


def _words(name: str, config: str, translated: Callable[[Words], Words]) -> Words:
    """The command line for Hydra; or prints help, and ends."""
    if {"--help", "-h"} & set(sys.argv[1:]):
        print(help.text(name, config))
        sys.exit()
    arguments = without_trust(command_line.arranged(sys.argv[1:]))
    return _for_hydra(translated(arguments))


def _survived(
    name: str, job: Callable[[DictConfig], Any], cfg: DictConfig, wants_traceback: bool
) -> list[str]:
    """Runs a job of a sweep, after which the others go on; returns what went wrong, if anything."""
    try:
        job(cfg)
        return []
    except Exception as error:
        kind = "" if isinstance(error, REFUSALS) else f"{type(error).__name__}: "
        if wants_traceback:
            traceback.print_exc()
        line = f"{kind}{in_words(error)}  [{' '.join(HydraConfig.get().overrides.task)}]"
    gc.collect()  # what the job held on the device
    print(f"heatmap-{name}: {line}", file=sys.stderr)
    return [line]


def _for_hydra(arguments: Words) -> Words:
    """The command line as Hydra's sweeps need it.

    Hydra composes a sweep once without the options it goes through, and there refuses keys that
    only these have, unless they are choices too. What jobs share is left out of folders' names.
    """
    arguments = [_in_full(argument) for argument in arguments]
    if not {"-m", "--multirun"} & set(arguments) or partners.is_partner():  # done by the first
        return arguments
    shared = [a.lstrip("+~").partition("=")[0] for a in arguments if "=" in a and not _sweeps(a)]
    keys = ",".join(f'"{key}"' for key in shared if not key.startswith("hydra"))
    same = f"hydra.job.config.override_dirname.exclude_keys=[{keys}]"
    return [*(_as_choice(argument) for argument in arguments), same]


def _in_full(argument: str) -> str:
    """The key that a short word stands for, as `lr=` is `optimizer.lr=`; a path there is, quoted.

    A run's folder may have any letters in its name, some of which mean other things to Hydra.
    """
    key, equals, value = argument.partition("=")
    if key in PATHS and re.search(r"[^\w./-]|[^\x00-\x7f]", value) and Path(value).exists():
        value = quoted(value)
    return f"{SHORT.get(key, key)}{equals}{value}"


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
