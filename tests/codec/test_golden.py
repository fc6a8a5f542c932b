"""Nothing in a golden folder is passed over in silence."""

import importlib
from pathlib import Path

import golden
import pytest

pytestmark = pytest.mark.golden

for part in Path(__file__).parent.glob("test_golden_*.py"):
    importlib.import_module(part.stem)  # each claims the arrays it compares

LATER: dict[str, str] = {}  # a file, and why nothing of it is compared yet
UNCOMPARED: dict[tuple[str, str], str] = {}  # a file and its key, and why no test compares it
FILES = golden.files() or [pytest.param("none", marks=golden.NOT_HERE)]


@pytest.mark.parametrize("file", FILES)
def test_every_stored_output_is_compared_once_or_has_a_reason_not_to_be(file: str) -> None:
    if file in LATER:
        pytest.skip(LATER[file])
    counts = {key: golden.claims(file, key) for key in golden.outputs(file)}
    assert {key for key, n in counts.items() if n == 0} == {
        key for name, key in UNCOMPARED if name == file and key in counts
    }
    assert not {key for key, n in counts.items() if n > 1}


@pytest.mark.parametrize("file", FILES)
def test_a_files_facts_are_of_its_arrays(file: str) -> None:
    facts, arrays = golden.facts(file)["arrays"], golden.arrays(file)
    assert facts.keys() == arrays.keys()
    for key, fact in facts.items():
        assert (tuple(fact["shape"]), fact["dtype"]) == (arrays[key].shape, str(arrays[key].dtype))
