from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("heatmap-research")
except PackageNotFoundError:  # the source is on the path without having been installed
    __version__ = "unknown"
