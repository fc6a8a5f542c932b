import json
import re

import pytest
import running
import torch

from heatmap_research.data.datamodule import DataModule
from heatmap_research.jobs import probe
from heatmap_research.types import Sample

NAN = float("nan")


def samples(*points):
    """One joint a sample, at (x, 0); one that is not a number is not labelled."""
    one, none = torch.tensor(1.0), torch.zeros(())
    return [
        Sample(
            image=torch.zeros(3, 8, 8, dtype=torch.uint8),
            keypoints=torch.tensor([[0.0 if x != x else x, 0.0]]),
            visible=torch.tensor([0 if x != x else 2]),
            to_source=torch.eye(2, 3),
            scale=one,
            image_id=torch.tensor(0),
            instance_id=torch.tensor(0),
            box=torch.zeros(4),
            box_score=one,
            head=none,
            overlap=none,
            others=torch.full((1, 2), NAN),
            others_visible=torch.zeros(1, dtype=torch.int64),
        )
        for x in points
    ]


def test_the_constant_answer_is_the_median_of_labelled_joints_in_training():
    """The median of 1, 2 and 9 is 2, which is off by 1, 0 and 3 on test: 4/3 in the mean."""
    stages = {"train": samples(1.0, 9.0, 2.0, NAN), "test": samples(1.0, 2.0, 5.0, NAN)}
    make = {stage: lambda stage=stage: stages[stage] for stage in stages}
    module = DataModule(make, batch_size=2, workers=0, seed=0, overfit=0)
    assert probe.constant_error(module) == pytest.approx(4 / 3)


def test_trainings_of_a_field_and_of_a_whole_network_become_a_table_and_a_row(tmp_path):
    for name, *backbone in (("15", "backbone=local", "backbone.field=15"), ("whole",)):
        running.train(tmp_path / "runs" / name, *running.SMOKE, *backbone)
    done = running.succeed("probe", "runs", "--keep", "table.json", cwd=tmp_path)
    (row,) = json.loads((tmp_path / "table.json").read_text())["rows"]
    assert row["figures"]["image_size"] == [32, 32]
    assert row["made_by"]["command"] == "heatmap-probe runs --keep table.json"
    shown = [line.split("│")[1:3] for line in done.out.splitlines() if "│" in line]
    assert [tuple(map(str.strip, cells)) for cells in shown] == [
        ("constant", f"{row['constant']:.3f}"),
        ("15", f"{row['fields']['15'][0]:.3f}"),
        ("whole", f"{row['whole'][0]:.3f}"),
    ]
    assert re.search(r"data=synthetic: mse_2d, \d+ steps", done.out)


def test_a_folder_without_a_finished_run_is_answered_in_a_line(tmp_path):
    done = running.command("probe", ".", cwd=tmp_path)
    assert (done.status, len(done.err.splitlines())) == (1, 1)
    assert done.err.startswith("heatmap-probe: .: there is no run here")
