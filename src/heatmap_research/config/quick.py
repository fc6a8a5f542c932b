"""Spares Hydra work that changes nothing, which is a third of the start of a command."""

import sys
from typing import Any

import yaml
from hydra._internal.hydra import Hydra
from hydra.plugins.sweeper import Sweeper


def composing_once() -> None:
    """Composes a command's config once, from files that libyaml parses.

    Hydra composes it once more beforehand, only to read whether `hydra.mode` asks for a sweep, of
    which these configs say nothing: who does not write it on the line does not wait for it.
    """
    if not any("hydra.mode" in word for word in sys.argv[1:]):
        Hydra.get_mode = _unsaid  # type: ignore[method-assign]
    parsing_by_libyaml()


def parsing_by_libyaml() -> None:
    """Has every later reader of YAML in this process parse in C, where that is installed."""
    if yaml.__with_libyaml__:
        yaml.SafeLoader = yaml.CSafeLoader


def _unsaid(*_: Any, **__: Any) -> None:
    """The mode of a command line that leaves it to the flags."""


def composing_each_job_once() -> None:
    """For a sweep of checks: Hydra composes all its jobs beforehand, to refuse them early."""
    Sweeper.validate_batch_is_legal = _refused_later  # type: ignore[method-assign]


def _refused_later(*_: Any, **__: Any) -> None:
    """A job that cannot be composed is refused when its turn comes, in the same words."""
