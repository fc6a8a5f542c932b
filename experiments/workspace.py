"""Builds the wandb workspace of a study: python experiments/workspace.py STUDY --entity ENTITY

Runs grouped by arm; panels of errors, pictures, optimisation and cost, the same for every study.
Needs the extra `workspace`, and, without --dry-run, a key (`wandb login`) and a network.
"""

import argparse
import json
import sys
from typing import Any

import wandb_workspaces.reports.v2 as wr
import wandb_workspaces.workspaces as ws

STEP = "trainer/global_step"


def workspace(
    study: str, entity: str, project: str, decoders: list[str], figure: str
) -> ws.Workspace:
    return ws.Workspace(
        entity=entity,
        project=project,
        name=f"study {study}",
        sections=[
            ws.Section(name="Errors", panels=errors(decoders, figure), is_open=True),
            ws.Section(name="Pictures", panels=pictures(), is_open=True),
            ws.Section(name="Optimisation", panels=optimisation()),
            ws.Section(name="Cost", panels=cost(decoders[0], figure)),
        ],
        settings=ws.WorkspaceSettings(x_axis=STEP, max_runs=50),
        runset_settings=ws.RunsetSettings(
            filters=[ws.Metric("Group") == study],
            groupby=[ws.Config("arm")],
        ),
    )


def errors(decoders: list[str], figure: str) -> list[Any]:
    """How val falls while training, and where the runs end on both sets."""
    curves = [f"val/{decoder}/{figure}" for decoder in decoders]
    ends = [f"{stage}/{decoder}/{figure}" for stage in ("val", "test") for decoder in decoders]
    return [
        wr.LinePlot(x=STEP, y=curves, title=f"{figure} on val", groupby_rangefunc="stddev"),
        *(wr.BarPlot(metrics=[end], title=end) for end in ends),
    ]


def pictures() -> list[Any]:
    return [wr.MediaBrowser(media_keys=["val/samples"]), wr.MediaBrowser(media_keys=["val/errors"])]


def optimisation() -> list[Any]:
    names = ("train/loss", "train/excess", "train/neck_gradient", "lr")
    return [wr.LinePlot(x=STEP, y=[name], title=name) for name in names]


def cost(decoder: str, figure: str) -> list[Any]:
    error = wr.SummaryMetric(f"test/{decoder}/{figure}")
    costs = [wr.Config("macs"), wr.Config("parameters")]
    speed = wr.LinePlot(x=STEP, y=["train/images_per_second"], title="images a second")
    return [speed, *(wr.ScatterPlot(x=each, y=error, title="error by cost") for each in costs)]


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("study", help="the group of its runs: an experiment or a sweep's folder")
    asked.add_argument("--entity", required=True, help="your user or team on wandb")
    asked.add_argument("--project", default="heatmap_research")
    asked.add_argument("--decoders", nargs="+", default=["argmax", "dark"])
    asked.add_argument("--figure", default="pixel_error", help="such as AP, for data=coco")
    asked.add_argument("--dry-run", action="store_true", help="print the workspace as JSON only")
    given = asked.parse_args()
    made = workspace(given.study, given.entity, given.project, given.decoders, given.figure)
    if given.dry_run:
        print(json.dumps(made._to_model().model_dump(mode="json", by_alias=True), indent=1))
        return
    from heatmap_research.training.loggers.wandb import refuse_unreachable
    from heatmap_research.types import IncompatibleError

    try:
        refuse_unreachable(patience=5)
    except IncompatibleError as error:
        sys.exit(f"workspace: {error}")
    print(made.save().url)


if __name__ == "__main__":
    main()
