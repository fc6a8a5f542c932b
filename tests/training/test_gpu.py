"""What only a GPU can show; experiments/gpu/run.sh runs these on one."""

import pytest
import torch
from running import SMOKE, build, build_data, compose_as_is, composing
from test_training import fit

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
ARMS = pytest.mark.parametrize("arm", ["mse_2d", "ce_2d", "simcc", "marginal"])
GPU = ("trainer.accelerator=gpu", "trainer.precision=bf16-mixed")


def task_and_batch(arm):
    config = compose_as_is(*SMOKE, f"arm={arm}")
    torch.manual_seed(0)
    with composing():
        task, data = build(config), build_data(config)
    data.make_ready()
    return task.train(), next(iter(data.train_dataloader()))


@ARMS
def test_no_step_makes_the_host_wait_for_the_device(arm):
    task, batch = task_and_batch(arm)
    task.cuda()
    batch = type(batch)(*(column.cuda() for column in batch))
    optimizer = task.optimizer(task.groups())
    for _ in range(2):  # kernels are chosen in the first
        torch.cuda.set_sync_debug_mode("default")
        optimizer.zero_grad()
        torch.cuda.set_sync_debug_mode("error")
        try:
            others = batch.others, batch.others_visible
            scores = task.net(task.photometric(batch.image))
            cost = task.cost(scores, batch.keypoints, batch.visible, others)
            cost.loss.backward()
            with torch.inference_mode():
                task.codec.read(scores)
        finally:
            torch.cuda.set_sync_debug_mode("default")
        optimizer.step()


@ARMS
def test_the_codec_answers_as_on_the_cpu(arm):
    task, batch = task_and_batch(arm)
    given = batch.keypoints, batch.visible
    labels = task.codec.encode(*given)
    maps = tuple(task.codec.as_read(label.heatmap) for label in labels)
    on_device = tuple(each.cuda() for each in maps)
    drawn = task.codec.encode(*(each.cuda() for each in given))
    for here, there in zip(labels, drawn, strict=True):
        torch.testing.assert_close(there.heatmap.cpu(), here.heatmap, atol=1e-5, rtol=0)
    found = task.codec.decode(on_device)
    for name, each in task.codec.decode(maps).items():
        torch.testing.assert_close(found[name].keypoints.cpu(), each.keypoints, atol=2e-3, rtol=0)
        torch.testing.assert_close(found[name].score.cpu(), each.score, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("compiled", ["true", "reduce-overhead"])
@ARMS
def test_compiled_steps_and_cuda_graphs_change_no_loss(arm, compiled, tmp_path):
    losses = []
    for way in ("false", compiled):
        exact = (*GPU[:1], f"arm={arm}", f"compile={way}")
        steps = ("trainer.max_steps=3", "trainer.log_every_n_steps=1")
        trainer, _, _ = fit(tmp_path / way, *exact, *steps)
        losses.append(float(trainer.logged_metrics["train/loss"]))
    assert losses[1] == pytest.approx(losses[0], rel=1e-2)  # of TF32 and of other orders


@ARMS
def test_bfloat16_trains_towards_the_labels(arm, tmp_path):
    _, task, _ = fit(tmp_path, *GPU, f"arm={arm}", "trainer.max_steps=30")
    assert task.device.type == "cuda"
    assert {p.dtype for p in task.parameters()} == {torch.float32}
    assert all(p.isfinite().all() for p in task.parameters())
