"""A network that begins with weights of another: a run's, a checkpoint's, or a file of timm's."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from heatmap_research.network.depth import plain
from heatmap_research.runs import record
from heatmap_research.runs.store import RunStore
from heatmap_research.training.task import KeypointTask
from heatmap_research.training.tensors import tensors_of
from heatmap_research.types import IncompatibleError

log = logging.getLogger(__name__)

BACKBONE = "net.backbone.net."
MIN_SHARE = 0.5  # of the backbone's tensors that have to arrive
NAMED = 3  # tensors that a message names


@dataclass(frozen=True)
class Matched:
    """Which tensors of a network a file has."""

    taken: Mapping[str, Tensor]  # by the network's names
    anew: tuple[str, ...]  # the file's are of other shapes, or of other joints
    absent: tuple[str, ...]  # the file has none
    unused: tuple[str, ...]  # the network has none

    def __str__(self) -> str:
        total = len(self.taken) + len(self.anew) + len(self.absent)
        lists = (
            ("begin anew, as the file's are of other joints or shapes", self.anew),
            ("begin anew, as the file lacks them", self.absent),
            ("of the file are not used", self.unused),
        )
        rest = "".join(f"; {len(n)} {why} ({_some(n)})" for why, n in lists if n)
        return f"{len(self.taken)} of {total} tensors taken{rest}"


def file_of(weights: str) -> Path:
    """The file that `weights=` means; a run's folder stands for its last weights."""
    place = Path(weights).expanduser()
    store = RunStore(place)
    choices = (store.weights, store.checkpoints / "last.ckpt") if place.is_dir() else (place,)
    for file in choices:
        if file.is_file():
            return file
    what = "a run's folder without weights" if place.is_dir() else "no such file or folder"
    raise IncompatibleError(f"weights={weights}: {what}; give a run's folder or a file of weights.")


def start_from(task: KeypointTask, weights: str) -> Matched:
    """Fills a network with what a file has for it."""
    match = arriving(task, weights)
    task.load_state_dict(dict(match.taken), strict=False)
    log.info(f"weights={weights}: {match}")
    return match


def arriving(task: KeypointTask, weights: str) -> Matched:
    """Finds what a file has for a network, which it leaves as it is.

    Refuses a file that is not there, that cannot be read, or that has next to nothing for it.
    """
    file = file_of(weights)
    given = tensors_of(file)
    match = matched(task, given, _learnt(Path(weights).expanduser()))
    of_backbone = [name for name in task.state_dict() if name.startswith(BACKBONE)]
    arrived = sum(name in match.taken for name in of_backbone)
    if arrived < MIN_SHARE * len(of_backbone):
        raise IncompatibleError(
            f"weights={weights}: {arrived} of the {len(of_backbone)} tensors of this backbone are "
            f"in it (it has {len(given)}: {_some(tuple(given))}): choose the backbone that it was "
            "trained with, or another file."
        )
    return match


def matched(
    task: KeypointTask, given: Mapping[str, Tensor], joints: tuple[str, ...] | None
) -> Matched:
    """`joints` are those that the file's head answers for, where that is known."""
    own = task.state_dict()
    by_plain = {plain(n.removeprefix(BACKBONE)): n for n in own if n.startswith(BACKBONE)}
    to_own = {name: name if name in own else by_plain.get(plain(name)) for name in given}
    others = joints is not None and joints != task.schema.names
    taken, anew = {}, []
    for name, mine in to_own.items():
        if mine is None:
            continue
        of_joints = mine.startswith("net.head.") and len(own[mine]) == task.schema.joints
        if given[name].shape == own[mine].shape and not (others and own[mine].ndim and of_joints):
            taken[mine] = given[name]
        else:
            anew.append(mine)
    return Matched(
        taken=taken,
        anew=tuple(anew),
        absent=_told(name for name in own if name not in to_own.values()),
        unused=_told(name for name, mine in to_own.items() if mine is None),
    )


def _learnt(folder: Path) -> tuple[str, ...] | None:
    config = record.read_or_empty(folder).get("config") or {}
    return tuple(config["names"]) if config.get("names") else None


def _told(names: Iterable[str]) -> tuple[str, ...]:
    """Names without the counts of batches, which say nothing of what was learnt."""
    return tuple(name for name in names if not name.endswith("num_batches_tracked"))


def _some(names: tuple[str, ...]) -> str:
    more = ", …" * (len(names) > NAMED)
    return ", ".join(names[:NAMED]) + more
