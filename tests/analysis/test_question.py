"""Questions asked of run folders that were written as runs write them."""

import json

import pytest
import running
from omegaconf import OmegaConf
from test_verdict import results, sweep, write

from heatmap_research.analysis.comparison.contrast.product import Product
from heatmap_research.analysis.comparison.contrast.question import Question
from heatmap_research.analysis.comparison.verdict.judge import judge
from heatmap_research.jobs import question as questions
from heatmap_research.runs.find import find
from heatmap_research.runs.store import RunStore

ARMS = {"simcc": 0.4, "ce_2d": 0.0}
PRODUCT = "heatmap_research.analysis.comparison.contrast.product.Product"
SHIFT, EXPONENT = (
    f"heatmap_research.analysis.comparison.contrast.curves.{name}" for name in ("Shift", "Exponent")
)
BETWEEN = {"arm": "a - b"}
QUESTION = "heatmap_research.analysis.comparison.contrast.question.Question"


def ask(weights, yes="above", margin=0.05, **more) -> Question:
    said = {"asks": "Is it so?", "expected": "yes", "refuted": "no"}
    return Question(contrast=Product(weights), yes_if=yes, margin=margin, **said, **more)


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    return sweep(tmp_path_factory.mktemp("two"), ARMS, sigmas=(2, 4))


def test_a_difference_of_two_arms_is_that_of_their_verdict(two):
    answers = ask({"arm": "simcc - ce_2d", "sigma": 2}).answer(two)
    (verdict,) = [v for v in judge(two, baseline="ce_2d") if v.setting == (("sigma", 2),)]
    interval = answers.lead.estimate.interval
    assert interval.estimate == pytest.approx(verdict.interval.estimate, rel=1e-12)
    assert interval.low == pytest.approx(verdict.interval.low, rel=1e-9)
    assert interval.p == pytest.approx(verdict.interval.p, rel=1e-6)
    assert answers.said == "Yes"
    assert answers.words.startswith("Is it so? Yes: simcc less ce_2d, at sigma=2 is 0.39")
    assert "3 seeds x 60 images" in answers.words


def test_a_difference_of_decoders_has_an_interval_too(two):
    """The runs are written so that argmax is 0.5 px further off, along x, than dark."""
    answers = ask({"decoder": "argmax - dark", "arm": "ce_2d"}).answer(two)
    interval = answers.lead.estimate.interval
    assert interval.low < interval.estimate < interval.high
    assert interval.estimate == pytest.approx(0.5, abs=0.02)


def test_an_interaction_that_is_none_is_a_no_within_its_margin(two):
    """Both sigmas were given the same errors."""
    answers = ask({"arm": "simcc - ce_2d", "sigma": "4 - 2"}).answer(two)
    assert answers.lead.estimate.interval.estimate == pytest.approx(0, abs=1e-9)
    assert answers.said == "No"
    assert "this is less" in answers.words
    assert ask({"sigma": "4 - 2"}, yes="within").answer(two).said == "Yes"


def test_the_other_sign_is_a_no(two):
    assert ask({"arm": "simcc - ce_2d"}, yes="below").answer(two).said == "No"
    assert ask({"arm": "simcc - ce_2d"}, yes="within").answer(two).said == "No"


def test_what_is_not_told_apart_is_undecided_and_says_what_would_decide(tmp_path):
    """Errors of the arms were drawn apart, and are alike on average."""
    for arm, drawn in (("simcc", 10), ("ce_2d", 20)):
        for seed in (0, 1, 2):
            RunStore(write(tmp_path / f"{arm}{seed}", arm, drawn + seed)).update(seed=seed)
    answers = ask({"arm": "simcc - ce_2d"}, margin=0.001).answer(find(tmp_path))
    assert answers.said == "Undecided"
    assert "would be found four times in five; to find 0.001 px takes" in answers.words


def test_errors_of_several_sizes_are_shares_of_the_image(tmp_path):
    """The same pixels on twice the side are half the share."""
    for size in (32, 64):
        for seed in (0, 1, 2):
            asked = {"image_size": [size, size], "seed": seed, "sigma": 2, "tolerances": [0.1] * 5}
            write(tmp_path / f"{size}_{seed}", seed=seed, config=asked)
    runs = find(tmp_path)
    sides = {s: ask({"image_size": s}, per_image=True).answer(runs).lead for s in (32, 64)}
    of_32, of_64 = (sides[s].estimate.interval.estimate for s in (32, 64))
    assert of_32 == pytest.approx(2 * of_64)
    assert "% of the image's side" in sides[32].words


def test_sizes_are_compared_by_both_sides(tmp_path):
    for size, added in (([32, 32], 1.0), ([64, 64], 0.0), ([64, 48], 3.0)):
        for seed in (0, 1, 2):
            asked = {"image_size": size, "seed": seed, "sigma": 2, "tolerances": [0.1] * 5}
            write(tmp_path / f"{size}{seed}", seed=seed, added=added, config=asked)
    runs = find(tmp_path)
    difference = ask({"image_size": "[64,48] - [64,64]"}).answer(runs).lead
    assert difference.estimate.interval.estimate == pytest.approx(3, abs=0.3)
    factors = {"large": {"image_size": {"[32,32]": "no", "[64,48]": "yes", "[64, 64]": "yes"}}}
    with pytest.raises(ValueError, match="would count as one, but differ in image_size"):
        ask({"large": "yes - no"}, factors=factors).answer(runs)


def test_other_truths_are_refused(tmp_path):
    for arm, moved in (("simcc", 0.0), ("ce_2d", 3.0)):
        for seed in (0, 1):
            write(tmp_path / f"{arm}_{seed}", arm, seed, moved=moved)
    with pytest.raises(ValueError, match="not the same truth"):
        ask({"arm": "simcc - ce_2d"}).answer(find(tmp_path))


def course(run, errors) -> None:
    """val errors of this run's decoder over its steps, each twice as many as the one before."""
    rows = [f"{2**place * 100 - 1},{error}" for place, error in enumerate(errors)]
    (run.folder / "metrics.csv").write_text("\n".join(["step,val/dark/pixel_error", *rows]) + "\n")


def test_an_arm_that_is_still_learning_is_named_at_once(tmp_path):
    runs = sweep(tmp_path, ARMS)
    for run in runs:
        course(run, [4, 2, 1] if run.arm == "simcc" else [1.1, 1.05, 1])
    words = ask({"arm": "simcc - ce_2d"}).answer(runs).words
    assert "Not converged: simcc lost 50 % of its val error with the last doubling" in words
    assert "ce_2d lost" not in words


def test_budgets_that_differ_are_named(tmp_path):
    for arm, steps in (("simcc", 2000), ("ce_2d", 1000)):
        for seed in (0, 1, 2):
            write(tmp_path / f"{arm}{seed}", arm, seed, config={"trainer": {"max_steps": steps}})
    words = ask({"arm": "simcc - ce_2d"}).answer(find(tmp_path)).words
    assert "Not on equal ground: trainer.max_steps differs" in words


def test_evaluations_on_other_data_are_read_in_place_of_their_runs(tmp_path):
    for cover in (0.0, 0.3):
        for seed in (0, 1, 2):
            run = write(tmp_path / f"{cover}_{seed}", seed=seed, config={"cover": cover})
            for place, more in (("clear", 0.0), ("covered", 1.0)):
                folder = run / "evaluate" / place
                write(folder, seed=seed, added=more * (1 - cover), config={"test_cover": more})
    weights = {"trained.cover": "0.3 - 0", "test_cover": "1 - 0"}
    answers = ask(weights, of_evaluations=True).answer(find(tmp_path))
    assert -0.35 < answers.lead.estimate.interval.estimate < -0.15


def test_a_family_is_adjusted_and_the_first_question_is_not(two):
    family = {
        "decoders": Product({"decoder": "argmax - dark"}),
        "sigma": Product({"sigma": "4 - 2"}),
    }
    answers = ask({"arm": "simcc - ce_2d"}, family=family).answer(two)
    assert answers.lead.p == answers.lead.estimate.interval.p
    raw = [one.estimate.interval.p for one in answers.family]
    assert [one.p for one in answers.family] == pytest.approx([min(1, 2 * raw[0]), raw[1]])


def test_what_of_a_family_has_no_runs_is_named_and_hides_no_other(two):
    family = {"a third": Product({"arm": "marginal - ce_2d"}), "one": Product({"sigma": "4 - 2"})}
    answers = ask({"arm": "simcc - ce_2d"}, family=family).answer(two)
    assert [one.name for one in answers.family] == ["one"]
    assert "Not answered: a third (no run has arm=marginal, but ce_2d, simcc)." in answers.words


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"yes_if": "maybe"}, "question.yes_if=maybe: choose below, above, within"),
        ({"margin": 0}, "question.margin=0: it must be greater than 0"),
        ({"asks": "So."}, "ends with a question mark"),
        ({"askes": "?"}, "question.askes"),
        ({"metric": "pixl_error"}, "metric=pixl_error"),
        (
            {"contrast": {"weights": {"arm": "a - b"}}},
            "question: contrast: give it a _target_",
        ),
        ({"family": {"more": {"arm": "a"}}}, "question: more: give it a _target_"),
        ({"contrast": {"_target_": PRODUCT, "weights": {"sigma": "per dubling"}}}, "per dubling"),
        (
            {"contrast": {"_target_": PRODUCT, "weights": {"arm": "a - "}}},
            "arm: a - .*cannot be read",
        ),
        (
            {"contrast": {"_target_": SHIFT, "between": {"arm": "a"}, "budgets": [1, 2]}},
            "SLOW - FAST",
        ),
        (
            {"contrast": {"_target_": SHIFT, "between": BETWEEN, "budgets": [2, 1]}},
            "two or more, ris",
        ),
        ({"contrast": {"_target_": EXPONENT, "between": [1], "at": {"arm": "a"}}}, "two budgets"),
        ({"_target_": None}, "question: give it a _target_, such as .*Question"),
    ],
)
def test_a_question_that_cannot_be_meant_is_refused(change, words):
    node = {
        "_target_": QUESTION,
        "asks": "Is it so?",
        "yes_if": "above",
        "margin": 1,
        "expected": "yes",
        "refuted": "no",
        "contrast": {"_target_": PRODUCT, "weights": {"arm": "a - b"}},
    }
    node = {key: value for key, value in (node | change).items() if value is not None}
    with pytest.raises(ValueError, match=words):
        questions.made(OmegaConf.create(node))


def test_a_null_takes_one_of_the_family_that_a_file_begins_with_out():
    asked = questions.of_file("sigma_narrow")
    assert asked.margin == questions.of_file("sigma").margin
    assert list(asked.family) == ["2-D", "2-D, mean squares", "SimCC", "marginal"]


def test_runs_carry_the_question_they_were_made_for(tmp_path):
    contrast = {"_target_": PRODUCT, "weights": {"arm": "simcc - ce_2d"}}
    asked = {"_target_": QUESTION, "asks": "Is it so?", "yes_if": "above", "margin": 0.05}
    asked |= {"expected": "yes", "refuted": "no", "contrast": contrast}
    for arm, added in ARMS.items():
        for seed in (0, 1, 2):
            write(tmp_path / f"{arm}{seed}", arm, seed, added, config={"question": asked})
    runs = find(tmp_path)
    assert questions.answered(runs, None).said == "Yes"
    other = json.loads(json.dumps(asked)) | {"asks": "Or so?"}
    write(tmp_path / "more", "simcc", 7, config={"question": other})
    assert questions.answered(find(tmp_path), None) is None
    words = "a key `question`, or one of budget, budget_hard, collapse, coordinates, cost"
    with pytest.raises(ValueError, match=words):
        questions.answered(runs, "nothing")
    (tmp_path / "broken.yaml").write_text("question: [")
    with pytest.raises(
        ValueError, match=r"broken\.yaml: it cannot be read: it is no YAML: while parsing"
    ):
        questions.answered(runs, str(tmp_path / "broken.yaml"))


@pytest.fixture
def wrong(tmp_path) -> tuple[str, ...]:
    """What asks for a study whose question cannot be meant."""
    folder = tmp_path / "mine" / "experiment"
    folder.mkdir(parents=True)
    text = (running.CONF / "experiment" / "layout.yaml").read_text()
    (folder / "wrong.yaml").write_text(text.replace("yes_if: above", "yes_if: maybe"))
    return (f"--config-dir={folder.parent}", "experiment=wrong", "head=conv1x1")


def test_a_check_refuses_a_wrong_question_before_its_study_runs(wrong, tmp_path):
    done = running.command("check", *wrong, cwd=tmp_path)
    assert done.status == 1
    assert done.out == "refused: question.yes_if=maybe: choose below, above, within.\n"


def test_a_training_refuses_a_wrong_question_before_its_first_step(wrong, tmp_path):
    asked = (*wrong, *running.SMOKE, "seed=0,1")
    done = running.command("train", "-m", *asked, cwd=tmp_path)
    assert done.status == 1
    assert "2 refused" in done.out
    assert done.err.count("question.yes_if=maybe: choose below, above, within.") == 4
    assert "Traceback" not in done.err
    assert not list(tmp_path.rglob("metrics.csv"))
    assert not list(tmp_path.rglob("*.ckpt"))


def test_a_question_is_not_asked_of_another_unit(two, tmp_path, caplog):
    folder = tmp_path / "asked.yaml"
    node = {"_target_": QUESTION, "asks": "Is it so?", "yes_if": "above", "margin": 0.05}
    contrast = {"_target_": PRODUCT, "weights": {"arm": "simcc - ce_2d"}}
    node |= {"expected": "yes", "refuted": "no", "contrast": contrast}
    OmegaConf.save({"question": node}, folder)
    assert questions.answered(two, str(folder)).said == "Yes"
    assert questions.answered(two, str(folder), "pixel_error_visible").said == "Yes"
    assert questions.answered(two, str(folder), "mean_oks") is None
    assert "not asked of another unit" in caplog.text


def test_levels_of_a_file_are_those_of_a_record(two):
    """A YAML file has the number 2 where a record, which is JSON, has a word."""
    factors = {"wide": {"sigma": {2: "narrow", "4": "wide"}}}
    answers = ask({"wide": "wide - narrow"}, yes="within", factors=factors).answer(two)
    assert answers.said == "Yes"


HEADS = {"conv1x1": 0.0, "dense_2d": 1.0, "marginal": 2.0, "simcc": 4.0}  # pixels added
KINDS = {
    "layout": {"head": {"conv1x1": "2-D", "dense_2d": "2-D", "marginal": "1-D", "simcc": "1-D"}},
    "density": {
        "head": {"conv1x1": "local", "dense_2d": "dense", "marginal": "local", "simcc": "dense"}
    },
}


@pytest.mark.parametrize(
    ("weights", "by_hand"),
    [
        ({"layout": "1-D - 2-D"}, (2 - 0 + 4 - 1) / 2),
        ({"density": "dense - local"}, (1 - 0 + 4 - 2) / 2),
        ({"layout": "1-D - 2-D", "density": "dense - local"}, (4 - 2) - (1 - 0)),
        ({"layout": "1-D - 2-D", "density": "local"}, 2),
    ],
)
def test_a_main_effect_is_of_all_heads_that_it_stands_for(weights, by_hand, tmp_path):
    """Two heads of a layout are two cells, and neither takes the other's place."""
    runs = sweep(tmp_path, HEADS)
    interval = ask(weights, factors=KINDS).answer(runs).lead.estimate.interval
    assert interval.estimate == pytest.approx(by_hand, abs=0.05)


def test_two_heads_that_no_factor_tells_apart_are_not_taken_for_one(tmp_path):
    runs = sweep(tmp_path, HEADS)
    with pytest.raises(ValueError, match="would count as one, but differ in arm, head"):
        ask({"layout": "1-D - 2-D"}, factors={"layout": KINDS["layout"]}).answer(runs)


def test_a_difference_of_ap_is_that_of_the_verdict_too(tmp_path):
    runs = sweep(tmp_path, {"simcc": 1.5, "ce_2d": 0.0}, seeds=(0, 1))
    for run in runs:
        results(run)
    asked = ask({"arm": "simcc - ce_2d"}, yes="below", metric="AP")
    interval = asked.answer(runs).lead.estimate.interval
    (verdict,) = judge(runs, metric="AP", baseline="ce_2d")
    assert interval.estimate == pytest.approx(verdict.interval.estimate, abs=1e-12)
    assert interval.error == pytest.approx(verdict.interval.error, rel=1e-9)
    assert interval.method == verdict.interval.method
