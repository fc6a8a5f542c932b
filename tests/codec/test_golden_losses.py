"""Published losses, against ours.

Ours are per joint, in units of a label's energy or in nats, and leave masks and means to the codec.
The published ones differ in what they divide by, and in where weights enter.
"""

import math
from collections.abc import Callable

import pytest
import torch
from golden import Case, published
from torch import Tensor

from heatmap_research.codec import heatmaps
from heatmap_research.codec.losses.adaptive_wing import AdaptiveWing
from heatmap_research.codec.losses.js import Js
from heatmap_research.codec.losses.kl import Kl
from heatmap_research.codec.losses.mse import Mse
from heatmap_research.codec.losses.ohkm import Ohkm
from heatmap_research.codec.losses.rle import Flow, Rle
from heatmap_research.codec.protocols import Loss
from heatmap_research.codec.targets.gaussian import Gaussian
from heatmap_research.codec.targets.normalised import Normalised
from heatmap_research.codec.targets.one_hot import OneHot
from heatmap_research.types import Label

pytestmark = pytest.mark.golden

RESULT = "{result:value|value64|grad_.*}"


def check(case: Case, value_of: Callable[..., Tensor], *inputs: str) -> None:
    """Compares a loss, or the gradient of its sum with respect to the input that the key names."""
    given = {name: case[name].double().requires_grad_() for name in inputs}
    value = value_of(*given.values())
    if case.result.startswith("grad_"):
        wanted = given[case.result.removeprefix("grad_")]
        (value,) = torch.autograd.grad(value.sum(), wanted)
    case.check(value)


def label(heatmap: Tensor) -> Label:
    """Wraps a map as a label of energy 1, so that losses in units of it are sums over bins."""
    ones = torch.ones_like(heatmap.flatten(2)[..., 0])
    return Label(
        heatmap=heatmap,
        position=ones[..., None].expand(*ones.shape, heatmap.ndim - 2),
        visible=ones,
        stride=(1.0,) * (heatmap.ndim - 2),
        energy=ones[:1],
    )


def over_bins(loss: Loss, scores: Tensor, wanted: Tensor) -> Tensor:
    """Returns our loss divided by the number of bins."""
    return loss(scores, label(wanted)) / scores[0, 0].numel()


def weight(case: Case) -> Tensor:
    return case["weight"].double()


def into_maps(case: Case, maps: Tensor) -> Tensor:
    """Multiplies a map by its weight: then a weight of 0.5 counts 0.25 in a squared error."""
    return maps * heatmaps.over(maps, weight(case))


MAPS = "C_losses_2d"
DSNTNN_FLOOR = 1e-24  # added before their logarithms


@published(MAPS, "mmpose_mse.{kind:plain|weighted|skip_empty}." + RESULT)
def test_losses_2d_mse_of_mmpose(case: Case) -> None:
    wanted = case["target"].double()
    weights = torch.ones_like(weight(case)) if case.kind == "plain" else weight(case)
    if case.argument("skip_empty_channel"):
        weights = weights * wanted.flatten(2).any(-1)
    check(case, lambda pred: (over_bins(Mse(), pred, wanted) * weights).mean(), "pred")


@published(MAPS, "{code:hrnet|simcc}_mse.weighted." + RESULT)
def test_losses_2d_mse_of_hrnet(case: Case) -> None:
    wanted = into_maps(case, case["target"].double())
    half = 0.5  # of HRNet
    check(case, lambda p: half * over_bins(Mse(), into_maps(case, p), wanted).mean(), "pred")


@published(
    MAPS,
    "{code:hrnet|simcc}_ohkm.weighted." + RESULT,
    "{code:mmpose}_ohkm.{kind:plain|weighted}." + RESULT,
)
def test_losses_2d_ohkm(case: Case) -> None:
    loss = Ohkm(Mse(), hardest=case.argument("topk"))
    plain = case.fields.get("kind") == "plain"
    weigh = (lambda maps: maps) if plain else (lambda maps: into_maps(case, maps))
    wanted = weigh(case["target"].double())
    factor = 1.0 if case.code == "mmpose" else 0.5
    check(case, lambda pred: factor * over_bins(loss, weigh(pred), wanted).mean(), "pred")


@published(MAPS, "mmpose_awing.{kind:plain|weighted}." + RESULT)
def test_losses_2d_adaptive_wing(case: Case) -> None:
    names = ("alpha", "omega", "epsilon", "theta")
    loss = AdaptiveWing(**{name: float(case.argument(name)) for name in names})
    weigh = (lambda m: m) if case.kind == "plain" else (lambda m: into_maps(case, m))
    wanted = weigh(case["target"].double())
    check(case, lambda pred: over_bins(loss, weigh(pred), wanted).mean(), "pred")


@published(MAPS, "mmpose_js.weighted." + RESULT)
def test_losses_2d_js_of_mmpose(case: Case) -> None:
    wanted, weights = case["target_prob"].double(), weight(case)

    def per_batch(logits: Tensor) -> Tensor:
        losses = Js()(logits, label(wanted)) + of_rounded_label(logits, wanted)
        return (losses * weights).sum() / len(logits)

    if case.result != "grad_logits":
        check(case, per_batch, "logits")
        return
    logits = case["logits"].double().requires_grad_()
    (ours,) = torch.autograd.grad(per_batch(logits), logits)
    ignored = heatmaps.over(logits, weights) == 0
    assert (torch.where(ignored, ours, 0) == 0).all()  # theirs is the logarithm of 0 times 0
    case.check(torch.where(ignored, torch.nan, ours))


def of_rounded_label(logits: Tensor, wanted: Tensor) -> Tensor:
    """What mmpose adds, to first order, where a label in float32 does not quite sum to one."""
    excess = wanted.flatten(2).sum(-1) - 1
    mean = (heatmaps.activate(logits, "softmax") + wanted) / 2
    return excess * Kl()(mean.log(), label(wanted)) / 2


def dsntnn_position(case: Case) -> Tensor:
    """Returns bins, y first; the stored coordinates run from -1 to 1 between the map's edges."""
    size = torch.tensor(case["logits"].shape[2:])
    return ((case["mu_norm"].double().flip(-1) + 1) * size - 1) / 2


def dsntnn_label(case: Case) -> Tensor:
    target = Normalised(Gaussian(sigma=case["sigma_cells"].item()))
    return target(dsntnn_position(case), tuple(case["logits"].shape[2:]), (1.0, 1.0))


def dsntnn_log_label(case: Case) -> Tensor:
    """The logarithm of the label without the floor of e^-40 at which ours stops."""
    y, x = dsntnn_position(case).unbind(-1)
    height, width = case["logits"].shape[2:]
    down = (torch.arange(height) - y[..., None]).square()[..., :, None]
    across = (torch.arange(width) - x[..., None]).square()[..., None, :]
    scores = -(down + across) / (2 * case["sigma_cells"].square())
    return scores.flatten(2).log_softmax(-1).view_as(scores)


@published(MAPS, "dsntnn_gauss")
def test_losses_2d_label_of_dsntnn(case: Case) -> None:
    case.check(dsntnn_label(case))


def dsntnn_mean(case: Case, losses: Tensor) -> Tensor:
    if case.reduction == "per_location":
        return losses
    threshold = float(case.argument("mask").removeprefix("weight > "))
    return losses[weight(case) > threshold].mean()


@published(MAPS, "dsntnn_js.{reduction:per_location|average_masked}." + RESULT)
def test_losses_2d_js_of_dsntnn(case: Case) -> None:
    wanted = label(dsntnn_label(case))
    check(case, lambda logits: dsntnn_mean(case, Js()(logits, wanted)), "logits")


@published(MAPS, "dsntnn_kl.{reduction:per_location|average_masked}." + RESULT)
def test_losses_2d_kl_of_dsntnn_is_ours_the_other_way_round(case: Case) -> None:
    scores = torch.logaddexp(
        dsntnn_log_label(case), torch.tensor(math.log(DSNTNN_FLOOR), dtype=torch.float64)
    )

    def reverse(logits: Tensor) -> Tensor:
        found = heatmaps.activate(logits, "softmax")
        return dsntnn_mean(case, Kl()(scores, label(found)))

    check(case, reverse, "logits")


@published(MAPS, "dsntnn_variance.per_location")
def test_losses_2d_variance_of_dsntnn(case: Case) -> None:
    """We have no such loss: our JS pulls at the whole shape of a map."""
    found = heatmaps.activate(case["logits"].double(), "softmax")
    mean = heatmaps.expectation(found)
    square = torch.zeros_like(mean[..., 0])
    for axis, size in enumerate(found.shape[2:]):
        away = torch.arange(size) - mean[..., axis, None]
        others = [other + 2 for other in range(found.ndim - 2) if other != axis]
        variance = (found.sum(others) * away.square()).sum(-1)
        square += (variance - case.argument("sigma_t") ** 2).square()
    case.check(square)


VECTORS = "C_losses_1d"
AXES = ("x", "y")


def unnormalised(logits: Tensor, wanted: Tensor) -> Tensor:
    """The published KL of a label that the border cuts; ours first scales it to a sum of one."""
    total = wanted.sum(-1)
    return total * Kl()(logits, label(wanted)) + torch.xlogy(total, total)


def both_axes(per_axis: Callable[[Tensor, Tensor], Tensor], *wanted: Tensor) -> Callable:
    def value(*logits: Tensor) -> Tensor:
        axes = zip(logits, wanted, strict=True)
        return torch.stack([per_axis(*axis) for axis in axes]).sum()

    return value


@published(VECTORS, "mmpose_kl.{kind}." + RESULT)
def test_losses_1d_kl_of_mmpose(case: Case) -> None:
    soften = case.argument("label_softmax", False)
    prefix = "target_peak1" if soften else "target_prob"
    wanted = [case[f"{prefix}_{axis}"].double() for axis in AXES]
    if soften:
        sharpness = case.argument("label_beta")
        wanted = [heatmaps.activate(label * sharpness, "softmax") for label in wanted]
    beta = case.argument("beta", 1.0)
    weights = weight(case).clone() if case.argument("use_target_weight") else 1.0
    if (mask := case.argument("mask")) is not None:
        weights[:, mask] *= case.argument("mask_weight")

    def axis(logits: Tensor, wanted: Tensor) -> Tensor:
        over_bins = unnormalised(beta * logits, wanted) / logits.shape[-1]
        return (over_bins * weights).sum() / logits.shape[1]  # joints, not people

    check(case, both_axes(axis, *wanted), "logits_x", "logits_y")


@published(VECTORS, "official_kl." + RESULT)
def test_losses_1d_kl_of_simcc(case: Case) -> None:
    wanted = [case[f"target_prob_{axis}"].double() for axis in AXES]

    def axis(logits: Tensor, wanted: Tensor) -> Tensor:
        return (unnormalised(logits, wanted) / logits.shape[-1] * weight(case)).mean()

    check(case, both_axes(axis, *wanted), "logits_x", "logits_y")


def smoothed(case: Case, axis: int) -> Tensor:
    shape = tuple(case[f"logits_{AXES[axis]}"].shape[2:])
    position = case["index"][..., axis, None].double()
    return OneHot(smoothing=case.argument("label_smoothing"))(position, shape, (1.0,))


@published(VECTORS, "official_nmt_sum.ls{smoothing:.+}." + RESULT)
def test_losses_1d_smoothed_classes_of_simcc(case: Case) -> None:
    def axis(logits: Tensor, wanted: Tensor) -> Tensor:
        return (Kl()(logits, label(wanted)) * weight(case)).sum() / len(logits)

    check(case, both_axes(axis, *(smoothed(case, a) for a in (0, 1))), "logits_x", "logits_y")


@published(VECTORS, "official_nmtnorm_mean.ls{smoothing:.+}." + RESULT)
def test_losses_1d_smoothed_classes_of_simcc_as_means(case: Case) -> None:
    def axis(logits: Tensor, wanted: Tensor) -> Tensor:
        return (Kl()(logits, label(wanted)) / logits.shape[-1] * weight(case)).mean()

    check(case, both_axes(axis, *(smoothed(case, a) for a in (0, 1))), "logits_x", "logits_y")


COORDINATES = "C_losses_coord"
EPSILON = 1e-9  # theirs, added to a spread that divides, not to one under a logarithm


def stored_flow(case: Case) -> dict[str, Tensor]:
    """Returns RealNVP's parameters under the names that our flow gives them."""
    names = {"s": "scales", "t": "shifts"}
    keys = [key for key in Flow().state_dict() if key.split(".")[0] in names.values()]
    back = {ours: theirs for theirs, ours in names.items()}
    return {key: case[f"flow.{back[key.split('.')[0]]}.{key.partition('.')[2]}"] for key in keys}


def flow(case: Case, kind: str) -> Flow:
    parameters = stored_flow(case)
    if kind == "zeroflow":
        parameters = {name: torch.zeros_like(value) for name, value in parameters.items()}
    made = Flow()
    made.load_state_dict(parameters)
    return made.double()


def rle(case: Case, published: bool) -> Rle:
    loss = Rle(
        density=case.argument("q_distribution", "laplace"),
        residual=case.argument("residual", True),
        published=published,
        least=1e-12,
    )
    loss.flow = flow(case, case.flow)
    return loss


@published(COORDINATES, "mmpose_flow_logprob")
def test_losses_coord_density_of_the_flow(case: Case) -> None:
    spread = case["sigma_logit"].double().sigmoid() + EPSILON
    error = (case["pred"] - case["target"]).double() / spread
    case.check(flow(case, "randflow").log_density(error.flatten(0, 1)))


@published(COORDINATES, "mmpose_rle.{flow}.{kind}." + RESULT)
def test_losses_coord_rle(case: Case) -> None:
    loss, wanted = rle(case, published=True), case["target"].double()
    weights = case["weight"].double()[..., 0] if case.argument("use_target_weight") else 1.0
    people = len(wanted) if case.argument("size_average", True) else 1

    def summed(pred: Tensor, logit: Tensor) -> Tensor:
        spread = logit.sigmoid()
        times = 2 if loss.residual else 1
        slip = (spread.log() - (spread + EPSILON).log()).sum(-1) * times
        return ((loss(pred, wanted, spread + EPSILON) + slip) * weights).sum() / people

    check(case, summed, "pred", "sigma_logit")
