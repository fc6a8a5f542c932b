"""widths=FILE: labels as wide, joint by joint, as a file says; the mean stays sigma."""

import json

import pytest
import running

from heatmap_research.config.job import prepare
from heatmap_research.types import IncompatibleError


def prepared(*overrides):
    return prepare(running.compose(*overrides), {})


@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_labels_are_as_wide_as_the_file_says_in_proportion(tmp_path, suffix):
    names = prepared().names
    widths = {name: 1 + place for place, name in enumerate(names)} | {"a joint of others": 5}
    lines = "\n".join(f"{name}: {width}" for name, width in widths.items())
    file = tmp_path / f"widths.{suffix}"
    file.write_text(json.dumps(widths) if suffix == "json" else lines)
    job = prepared(f"widths={file}")
    middle = (1 + len(names)) / 2
    assert job.codec.widths.by_joint == pytest.approx([(1 + k) / middle for k in range(len(names))])
    assert dict(job.config.widths) == {
        name: widths[name] for name in names
    }  # a run has them itself
    again = prepare(job.config, {})
    assert again.codec.widths == job.codec.widths
    few = prepared(f"widths={file}", f"joints=[{names[0]},{names[2]}]")
    assert few.codec.widths.by_joint == (0.5, 1.5)


def test_widths_that_do_not_fit_are_refused_in_a_line(tmp_path):
    names = prepared().names
    file = tmp_path / "widths.json"
    whole = dict.fromkeys(names, 1.0)
    for content, words in (
        (whole | {names[1]: 0}, f"widths: {names[1]} has 0: give a number above 0"),
        (whole | {names[1]: "wide"}, f"{names[1]} has wide: give a number"),
        (
            {k: v for k, v in whole.items() if k != names[1]},
            f"widths: there is none for {names[1]}",
        ),
        ([1, 2], "it has a list: give NAME: WIDTH"),
        ("{", "no JSON or YAML"),
    ):
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        with pytest.raises(IncompatibleError, match=words) as refusal:
            prepared(f"widths={file}")
        assert "\n" not in str(refusal.value)
    with pytest.raises(IncompatibleError, match="widths=wide: choose same or oks, or give a JSON"):
        prepared("widths=wide")
    with pytest.raises(IncompatibleError, match="widths=3: give same, oks, or a JSON or YAML file"):
        prepared("widths=3")
