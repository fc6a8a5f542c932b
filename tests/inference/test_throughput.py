import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import running
import torch

from heatmap_research.inference import loading, sources, writing
from heatmap_research.training import build
from heatmap_research.training.tensors import save_tensors

ROUNDS, PICTURES = 5, 64


@pytest.fixture
def photographs(tmp_path) -> Path:
    """Pictures of the usual size and detail: smooth noise, in JPEG."""
    draws = np.random.default_rng(0)
    for number in range(PICTURES):
        noise = draws.integers(0, 256, (60, 80, 3), dtype=np.uint8)
        picture = cv2.resize(noise, (640, 480), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(tmp_path / f"{number}.jpg"), picture)
    return tmp_path


@pytest.mark.slow
def test_reading_and_writing_take_little_of_the_time_of_a_network(photographs, tmp_path):
    """ResNet-18 at 256 x 192, 32 crops at a time; both ways in turn, and the best of each."""
    options = ("backbone=resnet18", "backbone.pretrained=false", "decoder=[dark]")
    job = running.job(*options, "image_size=[256,192]", "sigma=6")
    weights = tmp_path / "weights.safetensors"
    save_tensors(build.build(build.wire(job)), weights)
    predictor = loading.predictor(job, weights, "cpu", False, 32, None)
    files = sources.files(str(photographs), 3)
    crops = torch.cat([predictor.cutter(picture).crops for picture in files]).split(32)
    whole, alone = [], []
    for number in range(ROUNDS):
        began = time.perf_counter()
        with torch.inference_mode():
            for batch in crops:
                predictor.task.net(batch)
        alone.append(time.perf_counter() - began)
        began = time.perf_counter()
        with writing.writer(tmp_path / str(number), predictor.task.schema.names) as writer:
            for seen in predictor(files):
                writer.add(seen)
        whole.append(time.perf_counter() - began)
        assert writer.people == PICTURES
    share = min(alone) / min(whole)
    print(
        f"network alone {PICTURES / min(alone):.1f}, predict {PICTURES / min(whole):.1f} a second"
    )
    print(f"share of the network's throughput: {share:.3f}; by round", np.divide(alone, whole))
    assert share >= 0.85
