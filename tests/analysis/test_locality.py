import json

import pytest
import running

from heatmap_research.analysis.comparison import locality
from heatmap_research.analysis.comparison.locality import Locality
from heatmap_research.runs.find import Run

FIGURES = {"_target_": "a.Figures", "image_size": [64, 64], "seed": 0, "marker": 1.0}
DRAWN = {"image_size": [64, 64], "marker": 1.0}
BY_HAND = Locality(
    data="synthetic",
    figures=DRAWN,
    arm="mse_2d",
    steps=1000,
    constant=11.0,
    whole=[1.0, 1.0],
    fields={7: [6.0, 6.0], 15: [2.0, 4.0]},
)


def run(tmp_path, field, seed, error, **more):
    """A finished run whose decoder `good` is best on val, and `lucky` only on test."""
    backbone = {"name": "test_resnet"} if field is None else {"field": field}
    config = {"seed": seed, "backbone": backbone, "data": {"figures": FIGURES}, **more}
    metrics = {
        "val": {"good": {"pixel_error": 1.0}, "lucky": {"pixel_error": 2.0}},
        "test": {"good": {"pixel_error": error}, "lucky": {"pixel_error": 0.0}},
    }
    choices = {"arm": "mse_2d", "data": "synthetic", "backbone": "local" if field else "other"}
    facts = {"config": config, "choices": choices, "metrics": metrics, "seed": seed}
    return Run(tmp_path / f"{field}_{seed}", facts | {"steps": 1000, "decoders": ["lucky", "good"]})


def runs(tmp_path):
    errors = {None: (1.0, 1.0), 7: (6.0, 6.0), 15: (2.0, 4.0)}
    return [
        run(tmp_path, field, seed, error)
        for field, of_seeds in errors.items()
        for seed, error in reversed(list(enumerate(of_seeds)))
    ]


@pytest.mark.parametrize(("error", "share"), [(11.0, 0.0), (1.0, 1.0), (6.0, 0.5), (0.0, 1.1)])
def test_skill_is_counted_from_the_constant_answer_to_the_whole_network(error, share):
    assert locality.skill_share(11.0, error, 1.0) == pytest.approx(share)


def test_each_seed_of_a_field_is_compared_with_each_of_the_whole_network():
    measured = Locality("x", {}, "mse_2d", 1, constant=10.0, whole=[0.0, 5.0], fields={15: [5.0]})
    assert measured.shares(15) == pytest.approx([0.5, 1.0])


def test_runs_are_read_with_the_decoder_that_is_best_on_val(tmp_path):
    assert locality.measure(runs(tmp_path), 11.0) == BY_HAND


def test_runs_that_differ_in_more_than_backbone_and_seed_are_refused(tmp_path):
    others = [run(tmp_path, 31, 0, 1.0, sigma=sigma) for sigma in (2, 3)]
    with pytest.raises(
        ValueError, match="these runs differ in sigma: a probe needs runs of backbone=local with"
    ):
        locality.measure([*runs(tmp_path), *others], 11.0)


@pytest.mark.parametrize(
    ("only", "lack"), [(None, "have no backbone=local among"), (15, "all have backbone=local")]
)
def test_a_field_needs_a_whole_network_and_the_other_way_round(tmp_path, only, lack):
    kept = [one for one in runs(tmp_path) if one.value("backbone.field") == only]
    with pytest.raises(ValueError, match=f"{lack}.*: a probe needs .*, and the same without"):
        locality.measure(kept, 11.0)


def test_runs_without_an_error_on_test_are_refused(tmp_path):
    first, *others = runs(tmp_path)
    del first.record["metrics"]["test"]
    with pytest.raises(ValueError, match=r"no pixel_error on test.* evaluate=\[val,test\]"):
        locality.measure([first, *others], 11.0)


def test_a_row_is_found_again_by_its_images_whatever_their_seed(tmp_path):
    file = tmp_path / "table.json"
    locality.keep(BY_HAND, {"commit": "abc"}, file)
    expected = (
        "On these images a network that sees 15 x 15 pixels has 80% of the whole network's skill "
        "over a constant answer (7 px 50%): errors of 3.00, 1.00 and 11.0 px "
        "(mse_2d, 1000 steps, 2 seeds)."
    )
    assert locality.words({"figures": FIGURES | {"seed": 7}}, file) == expected
    assert json.loads(file.read_text())["rows"][0]["made_by"] == {"commit": "abc"}


def test_other_figures_were_not_measured_and_photographs_have_nothing_to_say(tmp_path):
    file = tmp_path / "table.json"
    locality.keep(BY_HAND, {}, file)
    other = locality.words({"figures": FIGURES | {"marker": 0.5}}, file)
    assert other == "How much of this a network could learn from small patches was not measured."
    assert locality.words({"train": {"annotations": "a.json"}}, file) is None


def test_a_row_takes_the_place_of_one_of_the_same_images(tmp_path):
    file = tmp_path / "table.json"
    for constant in (11.0, 12.0):
        locality.keep(Locality(**vars(BY_HAND) | {"constant": constant}), {}, file)
    (row,) = json.loads(file.read_text())["rows"]
    assert row["constant"] == 12.0


@pytest.mark.parametrize("data", ["synthetic", "hard"])
def test_the_table_that_is_shipped_knows_both_drawn_sets(data):
    cfg = running.job(f"data={data}").config
    assert "On these images a network that sees 15 x 15 pixels has" in locality.words(cfg.data)
