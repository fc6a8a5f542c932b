"""Every file of conf/ is found by listing it, so a new option is tested unasked."""

import re
from fractions import Fraction

import pytest
import running
import torch
from pairwise import covering, few_of
from running import build, build_data, check

from heatmap_research.codec.codec import readable
from heatmap_research.config.codec import codec_of
from heatmap_research.config.instantiate import instantiate, refuse_strays, with_values
from heatmap_research.config.job import prepare
from heatmap_research.config.values import watched
from heatmap_research.runs.store import RunStore
from heatmap_research.training.build import build_trainer, dry_run, wire
from heatmap_research.training.callbacks.progress import Lines
from heatmap_research.types import IncompatibleError

LISTS = ("decoder", "metric", "callback", "logger")
TESTED_APART = (
    *("backbone", "trainer", "callback", "logger", "data", "augment"),
    *("decoder", "metric"),  # below, all at once
    "experiment",  # test_sweeps.py trains the ends of each
)
PUBLISHED = "experiment/published"
NEED_A_MACHINE = ("gpu", "ddp")
LOGGERS = {  # metrics.csv comes with every other
    "csv": ["CSVLogger"],
    "tensorboard": ["CSVLogger", "TensorBoard"],
    "wandb": ["CSVLogger", "Wandb"],
}
NETS = [
    (group, option)
    for group in running.groups()
    for option in running.options(group)
    if group not in TESTED_APART
]
SEARCHED = ("targets", "losses", "decoders", "heads", "necks", "metrics", "schedules")
SHARED = (
    "average_precision",
    "measures",
    "oks",
    "pycocotools_ap",
)  # rules that metrics and verdicts share
SOURCE = running.ROOT / "src"
MODULES = [
    ".".join(file.relative_to(SOURCE).with_suffix("").parts)
    for part in SEARCHED
    for file in SOURCE.rglob(f"{part}/[!_]*.py")
    if file.stem not in SHARED
]

# Some options only make sense beside others: a decoder of distributions beside a loss of them.
COMPANY = (
    [],
    ["loss=cross_entropy"],
    ["neck.stride=8"],
    ["neck=identity"],
    ["stride=8"],
    ["arm=regression", "decoder=[coordinates]"],
    ["arm=rle", "decoder=[coordinates]"],
    ["arm=mse_2d"],
)


def chosen(group: str, option: str) -> str:
    return f"{group}=[{option}]" if group in LISTS else f"{group}={option}"


@pytest.mark.parametrize("trainer", running.options("trainer"))
def test_every_trainer_has_no_key_that_lightning_does_not_take(trainer):
    refuse_strays(running.compose(f"trainer={trainer}").trainer, "trainer")


WORKED = {}  # company that the last option of a group could be built in


@pytest.mark.parametrize(("group", "option"), NETS, ids=lambda word: word)
def test_every_option_builds_a_net_in_some_company(group, option):
    refusals = []
    for company in sorted(COMPANY, key=lambda company: company is not WORKED.get(group)):
        try:
            check(running.compose(*company, chosen(group, option)))
        except IncompatibleError as refusal:
            refusals.append(str(refusal))
        else:
            WORKED[group] = company
            return
    pytest.fail("\n".join(refusals))


def test_every_metric_stands_beside_every_other():
    metrics = ",".join(running.options("metric"))
    task = check(running.compose(f"metric=[{metrics}]"))
    assert len(task.metrics["argmax"]) == len(running.options("metric"))


@pytest.mark.parametrize("backbone", running.options("backbone"))
def test_every_backbone_gives_the_levels_it_declares(backbone):
    task = check(running.compose(f"backbone={backbone}", "image_size=[128,96]"))
    trunk = task.net.backbone
    found = trunk(torch.empty(2, 3, 128, 96, dtype=torch.uint8, device="meta"))
    assert [tuple(feature.shape) for feature in found] == [
        (2, channels, 128 // stride, 96 // stride) for channels, stride in trunk.levels
    ]


@pytest.mark.parametrize("head", running.options("head"))
@pytest.mark.parametrize("stride", few_of(["1/2", "16"], ["1", "2", "4", "8"]))
def test_every_head_reaches_a_stride_or_says_which(head, stride):
    """Deconv and conv1x1 depend on levels; a neck at stride 16 lets both have some."""
    cfg = running.compose(f"head={head}", f"stride={stride}", "neck.stride=16")
    try:
        reached, advice = check(cfg).codec.grid.stride, ""
    except IncompatibleError as refusal:
        reached, advice = None, str(refusal)
    assert reached == float(Fraction(stride)) or re.search(r"choose .*(stride|neck|head)", advice)


def test_every_decoder_can_read_what_some_loss_trains():
    names = ",".join(running.decoders())
    cfg = with_values(running.compose_as_is(f"decoder=[{names}]"), tolerances=[1.0])
    losses = [running.compose(f"loss={loss}").loss for loss in running.options("loss")]
    trained = {instantiate(loss, "loss").activation for loss in losses}
    for name, decoder in instantiate(cfg.decoder, "decoder").items():
        assert any(readable(decoder.needs, activation) for activation in trained), name


@covering(
    trainer=[option for option in running.options("trainer") if option not in NEED_A_MACHINE],
    callback=running.options("callback"),
    logger=[option for option in running.options("logger") if option != "wandb_online"],
)
def test_every_trainer_callback_and_logger_is_built(trainer, callback, logger, tmp_path):
    choices = (f"trainer={trainer}", f"callback=[{callback}]", f"logger=[{logger}]")
    cfg = running.compose(*choices, f"output_dir={tmp_path}")
    built = build_trainer(prepare(cfg, {}), RunStore(tmp_path), Lines(10, "val/argmax/pixel_error"))
    assert [type(found).__name__ for found in built.loggers] == LOGGERS[logger]
    wanted = next(iter(cfg.callback.values()))._target_.rsplit(".", 1)[1]
    assert wanted in [type(found).__name__ for found in built.callbacks]


@pytest.mark.parametrize("optimizer", running.options("optimizer"))
@pytest.mark.parametrize("schedule", running.options("schedule"))
def test_every_schedule_turns_every_optimizer_down_in_the_end(optimizer, schedule):
    """But for the one that may be prolonged, whose rate stays."""
    cfg = running.compose(f"optimizer={optimizer}", f"schedule={schedule}")
    made = instantiate(cfg.optimizer, "optimizer")([torch.nn.Parameter(torch.zeros(1))])
    rates = instantiate(cfg.schedule, "schedule")(made, 50)
    seen = []
    for _ in range(60 if schedule == "constant" else 50):
        seen.append(made.param_groups[0]["lr"])
        made.step()
        rates.step()
    assert max(seen) == pytest.approx(cfg.optimizer.lr)
    assert seen[-1] == max(seen) if schedule == "constant" else seen[-1] < 0.02 * max(seen)


@pytest.mark.parametrize("option", ["synthetic", "hard"])  # others: test_data_presets.py
def test_every_data_set_has_three_stages_of_samples_its_schema_describes(option):
    cfg = running.compose(f"data={option}", *running.TINY)
    task, data = build(cfg), build_data(cfg)
    for stage in ("train", "val", "test"):
        sample = data.dataset(stage)[0]
        assert sample.image.shape == (3, 32, 32)
        assert sample.keypoints.shape == (task.schema.joints, 2)
        assert sample.visible.shape == (task.schema.joints,)


@pytest.mark.parametrize("experiment", ["demo"])
def test_an_experiment_runs(experiment, experiments):
    """Every job of its sweep, with one seed and a few steps."""
    records = [RunStore(file.parent).read() for file in experiments[experiment].glob("*/run.json")]
    assert records
    assert {record["status"] for record in records} == {"finished"}


BUILT = set()  # trunks with the head of some recipe


@pytest.mark.parametrize(
    "recipe", sorted(f.stem for f in (running.CONF / PUBLISHED).glob("*.yaml"))
)
def test_every_published_recipe_is_one_that_can_be_trained(recipe):
    """And says what was published, by whom, or that nothing was."""
    text = (running.CONF / PUBLISHED / f"{recipe}.yaml").read_text()
    one = ["decoder=[argmax]"] if "/decoder: all" in text else []
    drawn = ("data=synthetic", "augment=none")  # in place of COCO's or MPII's files
    cfg = running.compose_as_is(f"experiment=published/{recipe}", *drawn, *one)
    parts = wire(prepare(cfg, {}))
    assert parts.codec.decoders
    if (net := (cfg.backbone.name, str(cfg.head), str(cfg.image_size))) not in BUILT:
        BUILT.add(net)
        dry_run(parts)
    words = text.partition("defaults:")[0].replace("\n# ", " ")
    assert "not measured here" in words or "no published figure" in words or "No figure" in words


def test_every_module_of_a_choice_is_reached_by_a_config():
    texts = [file.read_text() for file in running.CONF.rglob("*.yaml")]
    unreached = {m for m in MODULES if not any(f"_target_: {m}." in text for text in texts)}
    assert not unreached
    assert {part for part in SEARCHED if any(f".{part}." in m for m in MODULES)} == {*SEARCHED}


def test_a_codec_has_the_stride_and_the_widths_of_its_config():
    job = running.job("arm=mse_2d", "stride=2/3", "anisotropy=[1.5,0.5]", "widths=oks")
    assert job.codec.grid.stride == 2 / 3
    cfg = with_values(job.config, tolerances=[0.1, 0.2, 0.3])
    widths = codec_of(cfg, 2, job.loss(), job.codec.decoders).widths
    assert widths.anisotropy == (1.5, 0.5)  # along y, along x
    assert widths.by_joint == pytest.approx((0.5, 1.0, 1.5))


@pytest.mark.parametrize(
    ("given", "decoder", "followed"),
    [
        ((), "argmax", "val/argmax/pixel_error"),
        (("monitor=dark/pixel_error",), "argmax,dark", "val/dark/pixel_error"),
        (("data=custom",), "dark,argmax", "val/dark/pixel_error"),
        (("data=coco",), "dark,argmax", "val/dark/AP"),
        (("data=mpii",), "argmax", "val/argmax/PCKh@0.5"),
    ],
)
def test_training_is_followed_by_a_figure_of_the_first_decoder_or_of_the_named_one(
    given, decoder, followed
):
    cfg = running.compose_as_is(f"decoder=[{decoder}]", *given)
    assert watched(cfg) == followed


def test_a_figure_of_a_decoder_that_is_not_there_is_not_followed():
    cfg = running.compose("monitor=dark/pixel_error")
    with pytest.raises(IncompatibleError, match=r"no decoder=dark here; choose argmax"):
        prepare(cfg, {})


def test_a_callback_or_logger_that_is_null_is_left_out(tmp_path):
    choices = ("callback.pictures=null", "logger.csv=null", f"output_dir={tmp_path}")
    built = build_trainer(running.job(*choices), RunStore(tmp_path), Lines(10, "val/argmax/x"))
    assert not built.loggers
    assert "Pictures" not in [type(found).__name__ for found in built.callbacks]
