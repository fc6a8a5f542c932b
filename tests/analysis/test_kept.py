"""A study that is kept in two files answers as its run folders do."""

import shutil
from dataclasses import replace

import pytest
from test_studies import write_study

from heatmap_research.analysis.comparison.verdict import kept
from heatmap_research.jobs import question as questions
from heatmap_research.runs.find import find


@pytest.mark.parametrize("study", ["rank", pytest.param("occlusion", marks=pytest.mark.slow)])
def test_answers_are_those_of_the_run_folders(study, tmp_path):
    write_study(study, tmp_path / "runs")
    runs = find(tmp_path / "runs")
    asked = questions.of_runs(runs)
    wanted = asked.answer(runs)
    kept.keep(runs, tmp_path / "kept", ["pixel_error", asked.metric])
    shutil.rmtree(tmp_path / "runs")
    read = kept.kept(tmp_path / "kept")
    found = questions.of_runs(read).answer(read)
    assert (found.question, found.notes, found.said) == (wanted.question, wanted.notes, wanted.said)
    for one, other in zip((found.lead, *found.family), (wanted.lead, *wanted.family), strict=True):
        assert (one.name, one.what, one.unit) == (other.name, other.what, other.unit)
        ours, theirs = one.estimate.interval, other.estimate.interval
        assert ours.estimate == pytest.approx(theirs.estimate, rel=1e-5, abs=1e-6)
        assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), rel=1e-4, abs=1e-5)


def test_no_place_of_the_machine_is_kept():
    data = {
        "root": "/a",
        "cache": "/a/c",
        "test": {"annotations": "/a/people.json", "first": 3},
        "schema": {"file": "/a/b.json"},
    }
    record = {"config": {"output_dir": "/a", "data": data, "logger": {"csv": {}}}}
    record |= {"started_in": "/a", "run": "/a/run", "checkpoint": "/a/run/last.ckpt"}  # evaluations
    wanted = {
        "config": {
            "data": {
                "test": {"annotations": "people.json", "first": 3},
                "schema": {"file": "b.json"},
            }
        }
    }
    assert kept._without_places(record) == wanted


def test_runs_of_other_truth_are_still_refused(tmp_path):
    write_study("layout", tmp_path / "runs")
    kept.keep(find(tmp_path / "runs"), tmp_path / "kept", ["pixel_error"])
    first, *rest = kept.kept(tmp_path / "kept")
    other = replace(first, record=first.record | {"truth": "0" * 64})
    with pytest.raises(ValueError, match="not the same truth"):
        questions.of_runs(rest).answer([other, *rest])


def test_a_study_grows_by_runs_whose_folders_come_later(tmp_path):
    write_study("layout", tmp_path / "runs")
    runs = find(tmp_path / "runs")
    asked, whole, parts = questions.of_runs(runs), tmp_path / "whole", tmp_path / "parts"
    kept.keep(runs, whole, ["pixel_error"])
    for seeds in ((0,), (1,)):
        kept.keep([run for run in runs if run.seed in seeds], parts, ["pixel_error"])
    found, wanted = kept.kept(parts), kept.kept(whole)
    assert sorted(run.name for run in found) == sorted(run.name for run in wanted)
    assert asked.answer(found).words == asked.answer(wanted).words


def test_what_was_not_kept_is_named(tmp_path):
    write_study("layout", tmp_path / "runs")
    kept.keep(find(tmp_path / "runs"), tmp_path / "kept", ["pixel_error"])
    run, *_ = kept.kept(tmp_path / "kept")
    with pytest.raises(ValueError, match="no ghosts of test is kept by decoder argmax"):
        run.sums("test", "argmax", "ghosts")
