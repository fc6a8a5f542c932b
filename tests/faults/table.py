"""Writes the table of README.md anew, from the patches and from what the suites caught of them."""

import json
from pathlib import Path

from planting import HERE, Fault, every

HEAD = "| fault | what is wrong | room | old suite | new suite |\n|---|---|---|---|---|"


def caught(fault: Fault, suite: Path) -> str:
    results = json.loads(suite.read_text()) if suite.exists() else {}
    if fault.name not in results:
        return ""
    test = results[fault.name]["caught_by"]
    return f"`{test.removeprefix('tests/').partition('[')[0]}`" if test else "**missed**"


def row(fault: Fault) -> str:
    suites = [caught(fault, HERE / f"{suite}_suite.json") for suite in ("old", "new")]
    cells = [fault.name, fault.what, ", ".join(sorted(fault.rooms)), *suites]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    readme = HERE / "README.md"
    text = readme.read_text().partition(HEAD)[0]
    rows = sorted(every(), key=lambda fault: (sorted(fault.rooms), fault.name))
    readme.write_text("\n".join([text + HEAD, *map(row, rows), ""]))


if __name__ == "__main__":
    main()
