"""Where the folder conf lies."""

from pathlib import Path


def conf_folder() -> Path:
    """The folder conf: in a wheel the package brings its copy, a checkout has it at the top."""
    package = Path(__file__).parents[1]
    inside = package / "conf"
    return inside if inside.is_dir() else package.parents[1] / "conf"
