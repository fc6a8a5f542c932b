"""Evaluations on other data that are part of a run."""

import pytest
import running

from heatmap_research.jobs import also
from heatmap_research.runs.find import evaluations, find
from heatmap_research.types import IncompatibleError

ALSO = ("+also.clear=['data.occlusion=0']", "+also.covered=['data.occlusion=0.5']")


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    folder = tmp_path_factory.mktemp("also")
    asked = (*running.SMOKE, "data.occlusion=0.2", "evaluate=[test]", "decoder=[argmax]")
    running.succeed("train", "-m", "study=also", "seed=0", *asked, *ALSO, cwd=folder)
    return folder, asked


def test_each_is_read_on_its_own_data_with_the_weights_of_the_run(sweep):
    runs = find(sweep[0])
    read = {run.folder.name: run for run in evaluations(runs)}
    assert len(runs) == 1
    assert sorted(read) == ["clear", "covered"]
    for name, share in (("clear", 0), ("covered", 0.5)):
        assert read[name].value("data.test.figures.occlusion") == share
        assert read[name].value("trained.data.occlusion") == 0.2
        assert read[name].seed == runs[0].seed
    covered = {n: (run.predictions("test")["visible"].to_numpy() == 1) for n, run in read.items()}
    assert covered["clear"].mean() < 0.2 < covered["covered"].mean()


def test_they_are_done_once_and_what_is_new_is_added_without_training(sweep):
    folder, asked = sweep
    before = (find(folder)[0].folder / "evaluate" / "clear" / "run.json").stat().st_mtime_ns
    more = (*ALSO, "+also.half=['data.occlusion=0.3']")
    done = running.command("train", "-m", "study=also", "seed=0", *asked, *more, cwd=folder)
    assert done.status == 0, done.err
    assert "finished before" in done.out
    (run,) = find(folder)
    assert (run.folder / "evaluate" / "clear" / "run.json").stat().st_mtime_ns == before
    assert [each.folder.name for each in evaluations([run])] == ["clear", "covered", "half"]


def test_a_key_that_is_not_there_is_refused_before_training(tmp_path):
    wrong = "+also.clear=['data.oclusion=0']"
    done = running.command("train", *running.SMOKE, wrong, cwd=tmp_path)
    assert done.status == 1
    assert len(done.err.splitlines()) == 1
    assert "oclusion: there is no such key. Did you mean occlusion?" in done.err
    assert not list(tmp_path.rglob("*.ckpt"))


@pytest.mark.parametrize(
    ("arm", "words", "told"),
    [
        ("simcc", "stride=0.25", "head.axes.0.weight would be 128x"),
        (
            "simcc",
            "image_size=[64,64]",
            "head.axes.0.weight would be 128x256 there and is 64x64 in",
        ),
        ("ce_2d", "backbone.in_chans=1", "would be "),
    ],
)
def test_data_that_other_weights_would_be_needed_for_are_refused_before_training(arm, words, told):
    job = running.job(f"arm={arm}", *running.TINY, f"+also.other=['{words}']")
    with pytest.raises(IncompatibleError, match=rf"^also.other=\['.*{told}"):
        also.refuse_impossible(job)


def test_a_local_head_may_be_evaluated_at_another_size():
    job = running.job("arm=ce_2d", *running.TINY, "+also.large=['image_size=[64,64]']")
    also.refuse_impossible(job)
