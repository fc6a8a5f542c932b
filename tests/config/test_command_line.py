"""Words as they are typed, and what is said of those that are no `key=value`."""

import re

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from pairwise import each

from heatmap_research.commands.train import _resumed as resumed
from heatmap_research.config import help
from heatmap_research.config.cli import _in_full
from heatmap_research.config.command_line import arranged
from heatmap_research.config.key_names import right_key
from heatmap_research.types import IncompatibleError


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("study=a -m seed=0,1", "-m study=a seed=0,1"),
        ("seed=0,1 --multirun", "--multirun seed=0,1"),
        ("a=1 --config-dir own b=2 -m", "--config-dir own -m a=1 b=2"),
        ("a=1 --cfg job", "--cfg job a=1"),
        ("~logger output= +also.far=['a=1']", "~logger output= +also.far=['a=1']"),
    ],
)
def test_flags_may_stand_anywhere(typed, meant):
    assert arranged(typed.split()) == meant.split()


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (["sigma=", "3"], "sigma=3"),
        (["sigma", "=", "3"], "sigma=3"),
        (["sigma", "=3"], "sigma=3"),
        (["sigma = 3"], "sigma=3"),
        (["arm=simcc", "image_size=[64,", "64]", "-m"], "'image_size=[64,64]'"),
        (["decoder=[argmax,", "dark,", "soft_argmax]"], "'decoder=[argmax,dark,soft_argmax]'"),
        (["--sigma=3"], "sigma=3"),
        (["--learning-rate"], "learning_rate=VALUE"),
        (["--confg-dir", "own"], "did you mean --config-dir?"),
        (["sigma", "3"], "sigma=VALUE"),
    ],
)
def test_a_word_cut_apart_or_with_dashes_is_written_out_as_it_should_be(words, advice):
    with pytest.raises(IncompatibleError, match=re.escape(advice)):
        arranged(words)


def test_a_quoted_list_with_spaces_is_one_word():
    words = ["image_size=[64, 64]", "+also.far=['a=1', 'b=2']"]
    assert arranged(words) == words


@pytest.mark.parametrize(
    ("key", "ours"),
    [
        ("base_lr", "optimizer.lr"),
        ("weight_decay", "optimizer.weight_decay"),
        ("batch_size", "data.batch_size"),
        ("max_steps", "trainer.max_steps"),
        ("sigm", "sigma"),
    ],
)
def test_a_key_of_another_code_base_brings_ours_to_mind(key, ours):
    assert right_key(key) == f" Did you mean {ours}?"


def test_help_has_every_group_and_the_comments_beside_values():
    text = help.text("train", "train")
    for line in (
        "heatmap-train: one arm, trained",
        "  geometry=center        | legacy, udp",
        "  sigma: 2.0 # input pixels: the width of labels, blurs and windows",
        "published/hrnet_w32",
    ):
        assert line in text
    assert "job_logging" not in text
    assert "heatmap-check: say of a configuration" in help.text("check", "train")
    assert "stage: val # train, val or test" in help.text("show", "show")


# Letters that mean other things to Hydra, or come in paths of other languages.
ODD = ("zürich", "名前", "a=b", "a(b", "a)b", "a,b", "a'b", "a{b", "a}b", "a[b]", "a#b", "a;b")
ODD += ("a&b", "a b", 'a"b', "a$b", "a\\b", "a\\", "a:b", "~a")


@each(name=ODD)
def test_the_folder_of_a_run_may_have_any_name(name, tmp_path):
    run = tmp_path / name
    (run / ".hydra").mkdir(parents=True)
    (run / ".hydra" / "config.yaml").write_text("seed: 0\n")
    read = OverridesParser.create().parse_override
    words = resumed(arranged([f"resume={run}"]))
    given = {key.key_or_group: key.value() for key in map(read, map(_in_full, words[4:]))}
    assert {given["resume"], given["hydra.run.dir"]} == {str(run)}
    (word,) = map(_in_full, arranged([f"run={run}"]))
    assert read(word).value() == str(run)


def test_several_runs_are_several_values():
    assert _in_full("run=a,b") == "run=a,b"
