"""What went wrong, in one line and in the words of the command line."""

import re
import sys
from collections.abc import Iterator
from typing import Any

from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from heatmap_research.config.conf import conf_folder
from heatmap_research.config.instantiate import did_you_mean
from heatmap_research.types import IncompatibleError, first_line

REFUSALS = (IncompatibleError, HydraException, OmegaConfBaseException)  # they say all; no crashes
EXTRAS = {"joblib": "joblib", "submitit_local": "slurm", "submitit_slurm": "slurm"}


def in_words(error: Exception) -> str:
    """Any error in one line; those of Hydra and OmegaConf are reworded to name the key."""
    text = str(error)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return _no_such_option(error)
    if isinstance(error, OverrideParseException):
        return f"{error.override}: this cannot be read ({' '.join(text.split())})."
    unknown = re.search(r"Could not override '([^']+)'|Key '([^']+)' is not in struct", text)
    if unknown:
        full = re.search(r"full_key: (\S+)", text) if unknown[2] else None
        key = full[1] if full else unknown[1] or unknown[2]
        if words := _of_files(key):
            return f"{key}: {words}"
        return f"{key}: there is no such key.{did_you_mean(key, known_keys(key))}"
    if ambiguous := re.match(r"Ambiguous value for argument '([^=]+)=(.+)'", text):
        key, value = ambiguous.groups()
        return (
            f"{key}={value}: several values are for a sweep, -m; for a list write "
            f"'{key}=[{value}]', in quotes."
        )
    if match := re.search(r"Missing mandatory value: (\S+)", text):
        return f"{match[1]}: nothing is given, and what was chosen needs it; add {match[1]}=..."
    if match := re.match("IncompatibleError raised while resolving interpolation: (.+)", text):
        return match[1]
    if match := re.search(r"Environment variable '(\w+)' not found\"\s+full_key: (\S+)", text):
        return (
            f"{match[2]}: the environment variable {match[1]} is not set, and this is made of it: "
            "set it, or give what is to stand there, such as data.root=DIR."
        )
    if text.startswith("Caught "):  # in a process that loads data: its last words
        last = text.strip().splitlines()[-1].strip()
        return last.partition(": ")[2] or last
    return first_line(error)


def _of_files(key: str) -> str:
    """What to write where files are given to a data set that takes none."""
    if key.rpartition(".")[2] not in ("annotations", "images", "root"):
        return ""
    return (
        "there is no such key here: choose data=custom, and give data.train.annotations, "
        "data.train.images, data.val.annotations and data.val.images."
    )


def before_any_job(error: Exception, entered: bool) -> str:
    """A line for what Hydra itself stumbles over, in the user's words; empty for all else."""
    if isinstance(error, ValueError) and "group override" in str(error):
        nulls = [word for word in sys.argv if re.fullmatch(r"\w+=null", word)]
        return f"{' '.join(nulls)}: to leave a group out, write ~GROUP."
    if isinstance(error, OSError) and not entered:
        return f"{error.filename}: {error.strerror}; choose another folder."
    return ""


def _no_such_option(error: MissingConfigException) -> str:
    group, _, option = str(error.missing_cfg_file).rpartition("/")
    known = list(error.options or []) or sorted(f.stem for f in conf_folder().glob(f"{group}/*"))
    if extra := EXTRAS.get(option):
        return f"{group}={option} is not installed: pip install 'heatmap-research[{extra}]'."
    return (
        f"{group}={option}: there is no such {group}; choose {', '.join(known)}."
        f"{did_you_mean(option, known)}"
    )


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
