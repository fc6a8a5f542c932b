"""The planted faults of tests/faults fit the present source; run.py there plants them."""

import ast
import shutil
from pathlib import Path

from faults import planting

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "heatmap_research"
FAULTS = planting.every()


def test_every_fault_makes_another_program_of_the_present_source(tmp_path: Path) -> None:
    wrong = {fault.name: why for fault in FAULTS if (why := _why_not(fault, tmp_path / fault.name))}
    assert not wrong


def test_there_are_thirty_faults_and_one_in_every_room() -> None:
    assert len(FAULTS) >= 30
    rooms = {file.parent.name for file in PACKAGE.glob("*/__init__.py")}
    assert set.union(*(fault.rooms for fault in FAULTS)) == rooms


def test_the_tests_that_are_to_notice_a_fault_are_there() -> None:
    assert not [name for fault in FAULTS for name in fault.near if not (ROOT / name).exists()]


def _why_not(fault: planting.Fault, root: Path) -> str:
    before = {name: (ROOT / name) for name in {edit.file for edit in fault.edits}}
    try:
        for name, file in before.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, root / name)
        fault.plant(root)
    except (ValueError, FileNotFoundError) as error:
        return str(error)
    same = [name for name, file in before.items() if _program(root / name) == _program(file)]
    return f"{same} is the same program as before" if same else ""


def _program(file: Path) -> str:
    """Comments and layout are left out."""
    return ast.dump(ast.parse(file.read_text()))
