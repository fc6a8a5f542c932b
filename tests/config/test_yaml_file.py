"""Configs of strangers: what is damaged, or grows without end, is refused in a line."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest

from heatmap_research.config import of_run, yaml_file
from heatmap_research.types import IncompatibleError

LETTERS = "abcdefghi"
TENS = "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]\n" for a, b in itertools.pairwise(LETTERS))
REFUSED = {
    "a billion": ("a: &a [1]\n" + TENS, "more than 100,000 values"),
    "in itself": ("a: &a [*a]", "nested too deep, or holds itself"),
    "deep": ("a: " + "[" * 2000 + "]" * 2000, "nested too deep, or holds itself"),
    "cut": ("a: [1,", "no YAML"),
    "twice": ("a: 1\na: 2", "duplicate key"),
    "code": ("a: !!python/object/apply:os.getcwd []", "could not determine a constructor"),
    "key": ("? [1, 2]\n: 3", "unhashable key"),
    "number": ("3", "cannot be read"),
    "bytes": ("\udcff", "decode"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_strangers_config_is_refused_in_a_line_that_names_it(name, tmp_path):
    text, words = REFUSED[name]
    (tmp_path / ".hydra").mkdir()
    file = tmp_path / ".hydra" / "config.yaml"
    file.write_bytes(text.encode(errors="surrogateescape"))
    for read in (lambda: of_run.stored(tmp_path), lambda: of_run.refuse_instructions(file)):
        with pytest.raises(IncompatibleError, match=words) as refusal:
            read()
        assert str(refusal.value).startswith(f"{file}: it cannot be read: ")
        assert "\n" not in str(refusal.value)


def test_a_config_with_aliases_is_read_as_it_is_written(tmp_path):
    (file := tmp_path / "a.yaml").write_text("a: &a {b: 1e-3}\nc: *a\nd: ${a.b}\n")
    assert yaml_file.load(file) == {"a": {"b": 0.001}, "c": {"b": 0.001}, "d": 0.001}


def test_a_config_that_several_write_at_once_is_whole_every_time(tmp_path):
    """Two processes that begin the same study in one second: one had taken the other's part."""
    file = tmp_path / "multirun.yaml"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda size: yaml_file.save({"key": "x" * size}, file), range(400)))
    assert set(yaml_file.load(file).key) == {"x"}
    assert [path.name for path in tmp_path.iterdir()] == ["multirun.yaml"]
