"""A config goes through its room once: nothing of it is looked at, or made, a second time."""

import sys
from collections import Counter
from pathlib import Path

import pytest
import running

from heatmap_research.config.job import prepare
from heatmap_research.runs import former_paths
from heatmap_research.runs.record import config_hash
from heatmap_research.runs.store import RunStore
from heatmap_research.training import fit
from heatmap_research.types import IncompatibleError

ROOM = str(running.ROOT / "src/heatmap_research/config")
IMPORTS = "/lazy.py"  # which the import system asks, whatever is imported
PER_PART = ("instantiate", "make", "maker", "refuse_strays", "_compare")  # once for each path
# Of no part of a config: they hold a value, or say what is wrong with it.
TOOLS = ("refusing", "making", "with_values", "is_number", "did_you_mean", "is_option")
TOOLS += ("Job.record", "Job.joints", "is_finite", "lacks_tolerances", "Job.names")
TOOLS += ("at_least",)


def entries(job) -> Counter:
    """How often each function of the room is entered; for those of a part, for each part."""
    counts = Counter()

    def note(frame, event, _):
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(ROOM) or IMPORTS in code.co_filename:
            return
        name = code.co_qualname
        path = frame.f_locals.get("path") if name in PER_PART else None
        counts[(Path(code.co_filename).stem, name, path)] += 1

    sys.setprofile(note)
    try:
        job()
    finally:
        sys.setprofile(None)
    return counts


def is_tool(name: str) -> bool:
    return name in TOOLS or name.startswith(("_is_", "_are_", "_number_wanted")) or "<" in name


@pytest.mark.parametrize("arm", ["mse_2d", "simcc", "rle"])
def test_every_function_of_the_room_is_entered_once_in_a_training(arm, tmp_path):
    cfg = running.compose_as_is(
        *running.SMOKE, f"arm={arm}", "decoder=all", "trainer.max_steps=1", f"output_dir={tmp_path}"
    )

    def train():
        fit.train(prepare(cfg, {}), RunStore(tmp_path), sweep=True)

    with running.composing():
        counts = entries(train)
    assert counts[("job", "prepare", None)] == 1
    assert counts[("instantiate", "maker", "backbone")] == 1
    looked = "trusted"  # at every name, wherever it is to be made
    again = {k: n for k, n in counts.items() if n > 1 and k[0] != looked and not is_tool(k[1])}
    assert again == {}


def test_a_moved_class_is_found_by_its_former_path(monkeypatch):
    today = "heatmap_research.codec.decoders.argmax.Argmax"
    cfg = running.compose("decoder=[argmax]", "decoder.argmax._target_=lab.first.Argmax")
    with pytest.raises(IncompatibleError, match=r"_target_=lab.first.Argmax: a config may name"):
        prepare(cfg, {})
    monkeypatch.setitem(former_paths.FORMER, "lab.first.Argmax", "lab.second.Argmax")
    monkeypatch.setitem(former_paths.FORMER, "lab.second.Argmax", today)
    job = prepare(cfg, {})
    assert type(job.codec.decoders["argmax"]).__module__ == today.rpartition(".")[0]
    assert job.record["decoder"]["argmax"]["_target_"] == today
    assert config_hash(job.record) == config_hash(running.job("decoder=[argmax]").record)


def test_a_config_of_former_paths_has_the_hash_it_has_today(monkeypatch):
    written = {"loss": {"_target_": "lab.Mse"}, "among": [{"_target_": "lab.Mse"}]}
    today = {"loss": {"_target_": "here.Mse"}, "among": [{"_target_": "here.Mse"}]}
    assert config_hash(written) != config_hash(today)
    monkeypatch.setitem(former_paths.FORMER, "lab.Mse", "here.Mse")
    assert config_hash(written) == config_hash(today)
