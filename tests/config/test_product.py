"""Every head with every target, loss and decoder: it works, or says in words why it cannot."""

import random
from functools import cache

import pytest
import pytorch_lightning as pl
import running
import torch
from omegaconf import OmegaConf
from running import build, build_data, check

from heatmap_research.codec.codec import Codec, readable
from heatmap_research.codec.coordinate_codec import CoordinateCodec
from heatmap_research.config.instantiate import instantiate
from heatmap_research.types import IncompatibleError, Sample

HEADS, TARGETS, LOSSES = (running.options(group) for group in ("head", "target", "loss"))
DECODERS = running.decoders()
SIZE = "image_size=[32,32]"
COMPANY = ((), ("neck.stride=8",), ("neck=identity",))  # some heads need room to double
SAMPLED = 30
TRAINED = 1  # of each head
ONE_OF_A_KIND = ("conv1x1", "simcc", "regression")  # others differ in what they give the codec
SLOW = pytest.mark.slow
NO_MAP = ("target=none", "decoder=[coordinates]")


@cache
def standing(head):
    """What a head needs beside it, and its task."""
    for beside in COMPANY:
        words = (SIZE, f"head={head}", *beside)
        torch.manual_seed(0)
        try:
            return words, build(running.compose(*words, *fitting(head))).eval()
        except IncompatibleError:
            continue
    raise AssertionError(f"head={head} fits nowhere")


def company(head):
    return standing(head)[0]


def task_of(head):
    return standing(head)[1]


def fitting(head):
    coordinates = ("loss=l1", "target=none", "decoder=[coordinates]")
    return coordinates if head in ("regression", "posenet") else ()


@cache
def options(group):
    cfg = running.compose(f"decoder=[{','.join(DECODERS)}]", f"tolerances={[0.05] * 13}")
    if group == "decoder":
        return {name: instantiate(cfg.decoder[name], f"decoder.{name}") for name in DECODERS}
    made = {}
    for name in running.options(group):
        cfg[group] = OmegaConf.load(running.CONF / group / f"{name}.yaml")
        made[name] = instantiate(cfg[group], group) if "_target_" in cfg[group] else None
    return made


@cache
def batch():
    generator = torch.Generator().manual_seed(0)
    keypoints = torch.rand(2, 13, 2, generator=generator) * 40 - 4  # some outside
    visible = torch.randint(0, 3, (2, 13), generator=generator)
    image = torch.randint(0, 256, (2, 3, 32, 32), generator=generator).byte()
    source = torch.eye(2, 3).repeat(2, 1, 1)
    one, ids = torch.ones(2), torch.arange(2)
    numbers = (one, ids, ids, torch.zeros(2, 4), one, one, 0 * one)
    others = keypoints.flip(0), visible.flip(0)
    return Sample(image, keypoints, visible, source, *numbers, *others)


@cache
def scores_of(head):
    with torch.no_grad():
        return task_of(head).net(batch().image)


def codec_of(head, target, loss, decoders):
    grid = task_of(head).codec.grid
    labels = task_of(head).codec.labels
    if grid.ndim == 0:
        return CoordinateCodec(grid, loss, decoders, labels)
    return Codec(grid, target, loss, decoders, labels, "product")


def go(codec, scores):
    """A step's loss with its gradient, and every decoder's points."""
    scores = tuple(each.clone().requires_grad_() for each in scores)
    others = batch().others, batch().others_visible
    cost = codec.training_loss(scores, batch().keypoints, batch().visible, others)
    cost.loss.backward()
    assert cost.loss.isfinite()
    assert all(each.grad.isfinite().all() for each in scores)
    with torch.inference_mode():
        predictions = codec.decode(codec.activate(scores))
    assert predictions.keys() == codec.decoders.keys()
    for found in predictions.values():
        assert found.keypoints.shape == (2, 13, 2)
        assert found.keypoints.isfinite().all()
        assert found.score.isfinite().all()
        assert ((found.score >= 0) & (found.score <= 1)).all()


@pytest.mark.parametrize(
    "head", [head if head in ONE_OF_A_KIND else pytest.param(head, marks=SLOW) for head in HEADS]
)
def test_every_target_loss_and_decoder_goes_with_a_head_or_is_refused(head):
    """Pairs of a map and a coordinate option are refused by the config: see below."""
    maps = task_of(head).codec.grid.ndim > 0
    for loss in options("loss").values():
        if (loss.activation == "coordinates") == maps:
            continue
        scores = scores_of(head)
        if not maps and loss.spread:
            scores = (torch.cat([scores[0]] * (1 if scores[0].shape[-1] == 4 else 2), dim=-1),)
        able = {n: d for n, d in options("decoder").items() if readable(d.needs, loss.activation)}
        assert able
        first, *others = [t for t in options("target").values() if t] if maps else [None]
        go(codec_of(head, first, loss, able), scores)  # decoders read scores, whatever the target
        for target in others:
            go(codec_of(head, target, loss, dict([next(iter(able.items()))])), scores)
        for target in (first, *others):
            for name in options("decoder").keys() - able.keys():
                with pytest.raises(IncompatibleError, match=f"decoder={name} reads"):
                    codec_of(head, target, loss, {name: options("decoder")[name]})


def drawn(head, generator):
    """A job with this head, and a loss, target and decoder of its kind."""
    maps = task_of(head).codec.grid.ndim > 0
    losses = {n: o for n, o in options("loss").items() if (o.activation != "coordinates") == maps}
    loss = generator.choice(list(losses))
    of_maps = [name for name, target in options("target").items() if (target is not None) == maps]
    able = [n for n, d in options("decoder").items() if readable(d.needs, losses[loss].activation)]
    chosen = [f"loss={loss}", f"target={generator.choice(of_maps)}"]
    spread = [] if maps else [f"head.spread={str(losses[loss].spread).lower()}"]
    return (*company(head), *chosen, *spread, f"decoder=[{generator.choice(able)}]")


def test_what_a_check_lets_pass_trains():
    data = build_data(running.compose(*running.TINY, "data.batch_size=4"))
    generator = random.Random(0)
    for overrides in (drawn(head, generator) for head in HEADS for _ in range(TRAINED)):
        cfg = running.compose(*running.TINY, *overrides)
        check(cfg)
        trainer = pl.Trainer(
            accelerator="cpu",
            max_steps=2,
            limit_val_batches=1,
            num_sanity_val_steps=0,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        task = build(cfg)
        trainer.fit(task, data)
        assert trainer.global_step == 2, overrides
        assert all(p.isfinite().all() for p in task.parameters()), overrides


def refusal_of(cfg):
    try:
        check(cfg)
    except IncompatibleError as refusal:
        return str(refusal)
    return None


def test_whatever_is_chosen_is_taken_or_refused_in_words():
    generator = random.Random(1)
    for _ in range(SAMPLED):
        group = {"loss": LOSSES, "target": TARGETS, "head": HEADS, "decoder": DECODERS}
        chosen = {name: generator.choice(names) for name, names in group.items()}
        decoder = f"decoder=[{chosen.pop('decoder')}]"
        cfg = running.compose(*running.TINY, *(f"{g}={o}" for g, o in chosen.items()), decoder)
        words = refusal_of(cfg)
        assert words is None or ("choose" in words and "\n" not in words)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (("loss=l1",), "this loss compares coordinates, and a target of maps does not go with it"),
        (("head=regression",), "this head predicts coordinates, and a target of maps does not go"),
        (("loss=l1", *NO_MAP), "this loss compares coordinates, but this head predicts maps: cho"),
        (("target=none",), "target=none draws no map, and this loss compares maps: choose arm=re"),
        (("head=regression", "loss=rle", *NO_MAP), "choose head.spread=true"),
        (("arm=rle", "loss=l1", *NO_MAP), "choose head.spread=false"),
        (
            ("arm=regression", *NO_MAP, "labels.covered=zero"),
            "need maps, and this loss compares coordinat",
        ),
        (
            ("arm=regression", *NO_MAP, "labels.outside=per_axis"),
            "choose labels.outside=ignore or tail",
        ),
        (("arm=regression", "decoder=[argmax]"), "decoder=argmax reads any maps, but this loss t"),
        (("decoder=[coordinates]",), "decoder=coordinates reads coordinates maps, but this loss"),
        (("loss=kl", "decoder=[debiased_soft_argmax]"), "reads identity maps, but this loss trai"),
        (("loss=mse", "decoder=[expected_oks]"), "reads softmax maps, but this loss trains ident"),
        (("geometry=udp", "stride=32"), "leaves one bin of image_size"),
        (("arm=simcc", "labels.covered=zero"), "choose uniform instead of zero"),
        (("labels.unlabelled=uniform",), "choose zero instead of uniform"),
        (("beta=2",), "beta=2 sharpens maps"),
    ],
)
def test_every_refused_pair_says_what_to_choose(overrides, words):
    with pytest.raises(IncompatibleError) as refusal:
        check(running.compose(*running.TINY, *overrides))
    assert words in str(refusal.value)
    assert "choose" in str(refusal.value)
