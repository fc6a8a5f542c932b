"""YAML that comes from elsewhere: a line of it may stand, by aliases of aliases, for billions."""

import yaml
from yaml import MappingNode, Node, ScalarNode, SequenceNode

from heatmap_research.types import in_a_line

MOST = 100_000  # values, each counted as often as aliases repeat it


def refuse_endless(text: str | bytes) -> None:
    """Raises a ValueError for what is no YAML, or for more values than can be meant."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        count = _values(root, {}) if root else 0
    except yaml.YAMLError as error:
        raise ValueError(f"it is no YAML: {in_a_line(error)}") from error
    except RecursionError as error:
        raise ValueError("it is nested too deep, or holds itself") from error
    if count > MOST:
        raise ValueError(f"its aliases make more than {MOST:,} values of it")


def _values(node: Node, counted: dict[int, int]) -> int:
    """The number of values below a node; those of one that is repeated are counted once."""
    if isinstance(node, ScalarNode):
        return 1
    if id(node) not in counted:
        counted[id(node)] = 1 + sum(_values(each, counted) for each in _below(node))
    return counted[id(node)]


def _below(node: Node) -> list[Node]:
    if isinstance(node, MappingNode):
        return [each for pair in node.value for each in pair]
    return list(node.value) if isinstance(node, SequenceNode) else []
