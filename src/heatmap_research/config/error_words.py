"""What went wrong, in one line and in the words of the command line."""

import re
import sys
from difflib import get_close_matches

from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException

from heatmap_research.config.conf import conf_folder
from heatmap_research.config.instantiate import did_you_mean
from heatmap_research.config.key_names import right_key
from heatmap_research.runs import no_place
from heatmap_research.types import IncompatibleError, first_line

REFUSALS = (IncompatibleError, HydraException, OmegaConfBaseException)  # they say all; no crashes
LISTS = (  # last words of keys that take several values in one run
    *("decoder", "metric", "callback", "logger"),
    *("image_size", "joints", "anisotropy", "evaluate", "annotations", "images"),
)
EXTRAS = {"joblib": "joblib", "submitit_local": "slurm", "submitit_slurm": "slurm"}


def in_words(error: Exception) -> str:
    """Any error in one line; those of Hydra and OmegaConf are reworded to name the key."""
    text = str(error)
    if isinstance(error, OSError) and no_place.is_lack_of_place(error):
        return no_place.in_words(error)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return _no_such_option(error)
    if several := re.match(r"Ambiguous value for argument '(.+)'", text):
        return _several(several[1])
    if isinstance(error, OverrideParseException):
        return f"{error.override}: this cannot be read ({' '.join(text.split())})."
    unknown = re.search(r"Could not override '([^']+)'|Key '([^']+)' is not in struct", text)
    if unknown:
        full = re.search(r"full_key: (\S+)", text) if unknown[2] else None
        key = full[1] if full else unknown[1] or unknown[2]
        if words := _of_files(key):
            return f"{key}: {words}"
        return f"{key}: there is no such key.{right_key(key)}"
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
    """A line for what Hydra itself stumbles over, or a disk; empty for all else."""
    if isinstance(error, ValueError) and "group override" in str(error):
        nulls = [word for word in sys.argv if re.fullmatch(r"\w+=null", word)]
        return f"{' '.join(nulls)}: to leave a group out, write ~GROUP."
    if isinstance(error.__cause__, OSError) and "configure handler" in str(error):
        error = error.__cause__  # of the file that a log goes to
    if isinstance(error, OSError) and (not entered or no_place.is_lack_of_place(error)):
        return no_place.in_words(error)
    return ""


def _no_such_option(error: MissingConfigException) -> str:
    group, _, option = str(error.missing_cfg_file).rpartition("/")
    known = list(error.options or []) or sorted(f.stem for f in conf_folder().glob(f"{group}/*"))
    within = [f.stem for f in conf_folder().glob(f"{group}/*/*.yaml")]  # such as published/
    if not get_close_matches(option, known) and (like := get_close_matches(option, within, n=1)):
        folder = next(conf_folder().glob(f"{group}/*/{like[0]}.yaml")).parent.name
        return f"{group}={option}: did you mean {group}={folder}/{like[0]}?"
    if extra := EXTRAS.get(option):
        return f"{group}={option} is not installed: pip install 'heatmap-research[{extra}]'."
    return (
        f"{group}={option}: there is no such {group}; choose {', '.join(known)}."
        f"{did_you_mean(option, known)}"
    )


def _several(word: str) -> str:
    """What to do where several values are given for one run."""
    key, _, values = word.partition("=")
    listed = f"'{key.removeprefix('every.')}=[{values}]'"
    if key.startswith("every."):
        return f"{word.removeprefix('every.')}: write {listed}."
    if key.rpartition(".")[2] in LISTS:
        return f"{word}: for a list write {listed}, in quotes; for a run of each value add -m."
    return f"{word}: one run takes one value; for a run of each value add -m."
