"""Spares Hydra work that changes nothing, which is a third of the start of a command."""

import copy
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import yaml
from hydra._internal import config_loader_impl
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.defaults_list import DefaultsList
from hydra._internal.hydra import Hydra
from hydra.plugins.sweeper import Sweeper
from omegaconf import DictConfig, base


def composing_once() -> None:
    """Composes a command's config once, from files that libyaml parses.

    Hydra composes it once more beforehand, only to read whether `hydra.mode` asks for a sweep, of
    which these configs say nothing: who does not write it on the line does not wait for it.
    """
    if not any("hydra.mode" in word for word in sys.argv[1:]):
        Hydra.get_mode = _unsaid  # type: ignore[method-assign]
    parsing_by_libyaml()
    base.parse = cache(base.parse)  # of references as ${sigma}, the same few again and again


def parsing_by_libyaml() -> None:
    """Has every later reader of YAML in this process parse in C, where that is installed."""
    if yaml.__with_libyaml__:
        yaml.SafeLoader = yaml.CSafeLoader


def _unsaid(*_: Any, **__: Any) -> None:
    """The mode of a command line that leaves it to the flags."""


def composing_a_grid_once() -> None:
    """For a sweep of checks: composes what jobs have in common once, and each job only when its
    turn comes, where Hydra composes all beforehand, too, to refuse them early."""
    Sweeper.validate_batch_is_legal = _refused_later  # type: ignore[method-assign]
    config_loader_impl.create_defaults_list = _of_same_options(
        config_loader_impl.create_defaults_list
    )
    ConfigLoaderImpl._compose_config_from_defaults_list = _of_same_files(  # type: ignore[method-assign]
        ConfigLoaderImpl._compose_config_from_defaults_list
    )


def _refused_later(*_: Any, **__: Any) -> None:
    """A job that cannot be composed is refused when its turn comes, in the same words."""


def _of_same_options(create: Callable[..., DefaultsList]) -> Callable[..., DefaultsList]:
    """The files of a config, looked for once for all jobs that choose the same options.

    Their other overrides are values, which are put into what these files make together.
    """
    known: dict[Any, DefaultsList] = {}

    def created(repo: Any, *, overrides_list: list[Any], **given: Any) -> DefaultsList:
        of_values, options = list[Any](), list[str]()
        for override in overrides_list:
            if not override.is_sweep_override() and (
                isinstance(override.value(), dict) or not repo.group_exists(override.key_or_group)
            ):
                of_values.append(override)
            else:
                options.append(override.input_line)
        key = (*options, *sorted(given.items()))
        if key not in known:
            known[key] = create(repo, overrides_list=overrides_list, **given)
        found = copy.copy(known[key])
        found.config_overrides = of_values
        return found

    return created


def _of_same_files(compose: Callable[..., DictConfig]) -> Callable[..., DictConfig]:
    """What files make together, before a job's own values."""
    known: dict[int, tuple[list[Any], DictConfig]] = {}

    def composed(self: ConfigLoaderImpl, defaults: list[Any], repo: Any) -> DictConfig:
        if id(defaults) not in known:
            known[id(defaults)] = defaults, compose(self, defaults, repo)
        return copy.deepcopy(known[id(defaults)][1])

    return composed
