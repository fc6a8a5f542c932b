"""Brings into the site what lies outside docs/, and turns the links that lead there."""

from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
PLACES = {
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "experiments/demo/demo.png": "demo.png",
    "experiments/readout/readout.png": "readout.png",
    "experiments/budget/budget.png": "budget.png",
}


def on_files(files: Files, config: Any) -> Files:
    for path, place in PLACES.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    if page.file.src_uri in PLACES.values():
        markdown = markdown.replace("](docs/", "](")
    for path, place in PLACES.items():
        markdown = markdown.replace(f"](../{path}", f"]({place}").replace(f"]({path}", f"]({place}")
    return markdown
