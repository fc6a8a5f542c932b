"""Where classes and functions lie that have moved since a config was written.

Whoever moves one adds a line. The table is read before anything is instantiated and before a config
is hashed, so that a move neither breaks a stored config nor makes it another experiment.
"""

from collections.abc import Mapping
from typing import Any

FORMER = {
    "heatmap_research.codec.labels.Labels": "heatmap_research.codec.learnt_joints.Labels",
}


def current(path: str) -> str:
    """The path of today for one that may be of old, after however many moves."""
    while path in FORMER:
        path = FORMER[path]
    return path


def with_current_paths(config: Any) -> Any:
    """A config, as plain dicts and lists, whose `_target_`s are all of today."""
    if isinstance(config, Mapping):
        return {
            key: current(value)
            if key in ("_target_", "path") and isinstance(value, str)
            else with_current_paths(value)
            for key, value in config.items()
        }
    if isinstance(config, (list, tuple)):
        return [with_current_paths(item) for item in config]
    return config
