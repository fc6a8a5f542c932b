"""Parts of an HDF5 file that come from elsewhere, looked at before they are read.

A few bytes may declare terabytes, and a part may lie in another file of the machine.
"""

import math
from typing import Any

from heatmap_research.runs import bounded_file
from heatmap_research.types import IncompatibleError

MOST_TEXTS = 100_000


def inside(content: Any, name: str) -> Any:
    """A group or a data set of the file itself; no link is followed on the way."""
    import h5py

    found = content
    for part in name.split("/"):
        link = found.get(part, getlink=True) if isinstance(found, h5py.Group) else None
        if link is None:
            raise KeyError(f"there is no {name}")
        if not isinstance(link, h5py.HardLink):
            raise IncompatibleError(f"{content.filename}: {name} is a link, which is not followed.")
        found = found[part]
    return found


def has(content: Any, name: str) -> bool:
    try:
        inside(content, name)
    except KeyError:
        return False
    return True


def stored(content: Any, name: str) -> Any:
    """A data set of the file itself, of which nothing is read yet; a row has a bounded size."""
    import h5py

    found = inside(content, name)
    if not isinstance(found, h5py.Dataset):
        raise KeyError(f"{name} is no data set")
    if found.external or found.is_virtual:
        raise IncompatibleError(f"{content.filename}: {name} lies in another file.")
    at_once = max(math.prod(found.shape[1:]), math.prod(found.chunks or ()))
    _refuse_huge(content, name, at_once * found.dtype.itemsize)
    return found


def rows(content: Any, name: str) -> Any:
    """All of a data set, as an array of one axis."""
    found = stored(content, name)
    if found.ndim != 1:
        raise IncompatibleError(f"{content.filename}: {name} has {found.ndim} axes, not 1.")
    _refuse_huge(content, name, found.nbytes)
    return found[()]


def texts(content: Any, name: str) -> list[str]:
    """A list of texts, which may be one long text many times over."""
    found, size, read = stored(content, name), 0, []
    if found.ndim != 1 or len(found) > MOST_TEXTS:
        raise IncompatibleError(f"{content.filename}: {name} has the shape {found.shape}.")
    for row in range(len(found)):
        read.append(found.asstr()[row])
        size += len(read[-1])
        _refuse_huge(content, name, size)
    return read


def _refuse_huge(content: Any, name: str, size: int) -> None:
    if size > bounded_file.PICTURE:
        raise IncompatibleError(
            f"{content.filename}: {name} has {size} bytes, and no more than {bounded_file.PICTURE} "
            "are read."
        )
