"""The demo's end: a table and a figure of its runs, and whether they lie where they should."""

import argparse
import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from hydra import compose, initialize_config_dir
from rich.console import Console
from rich.table import Table

from heatmap_research.analysis.comparison import figures
from heatmap_research.analysis.comparison.arms import Arm, read_arms
from heatmap_research.analysis.theory.round_trip import floors
from heatmap_research.codec.codec import Codec
from heatmap_research.config.conf import conf_folder
from heatmap_research.config.instantiate import instantiate
from heatmap_research.config.job import prepare
from heatmap_research.config.of_run import of_record
from heatmap_research.drawing import style
from heatmap_research.jobs.sample import of_run
from heatmap_research.runs.store import RunStore

JUDGED_STEPS = 1000


@dataclass(frozen=True)
class Bound:
    """A range that any right build of this program keeps to, on any machine."""

    words: str
    value: float
    low: float
    high: float

    @property
    def kept(self) -> bool:
        return self.low <= self.value <= self.high


def run(flags: argparse.Namespace) -> int:
    """Trains the arms, one seed beside the other; returns the exit status."""
    options = [f"trainer.max_steps={flags.steps}", f"data.pool={flags.pool}"]
    render(options)
    seeds = range(flags.seeds)
    started: list[subprocess.Popen[str]] = []
    with ThreadPoolExecutor(min(flags.seeds, os.cpu_count() or 1)) as pool:
        try:
            statuses = list(pool.map(lambda s: _sweep(s, flags.out, options, started), seeds))
        except KeyboardInterrupt:
            for process in started:  # which a scheduler does not tell
                process.terminate()
            raise
    if failed := [last for status, last in statuses if status]:
        sys.exit(f"heatmap-demo: a training failed: {failed[0]}")
    return conclude(flags.out, judge=flags.steps >= JUDGED_STEPS)


def _sweep(
    seed: int, out: Path, options: list[str], started: list[subprocess.Popen[str]]
) -> tuple[int, str]:
    """Trains all arms of a seed on one thread: figures are the same on any number of cores.

    Returns the exit status and the last line that was said.
    """
    command = [sys.executable, "-m", "heatmap_research.commands.train", "-m", "experiment=demo"]
    with subprocess.Popen(
        [*command, f"seed={seed}", *options, f"hydra.sweep.dir={out}/seed_{seed}"],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        started.append(process)
        line = ""
        for line in process.stdout or ():
            print(f"seed {seed} | {line}", end="", flush=True)
    return process.returncode, line.strip()


def render(options: Sequence[str]) -> None:
    """Renders the images once, before trainings side by side would each do it."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        cfg = compose("train", ["experiment=demo", *options])
    for stage in ("train", "val", "test"):
        instantiate(cfg.data[stage], f"data.{stage}")


def conclude(folder: Path, judge: bool) -> int:
    """Prints and draws the results; returns the exit status, 1 where one leaves its bounds."""
    arms = read_arms(folder)
    console = Console(width=None if Console().is_terminal else 110)
    console.print(table(arms))
    console.print(words(arms), highlight=False)
    examples = {arm.name: of_run(RunStore(arm.runs[0].folder), arm.chosen) for arm in arms}
    figure = folder / "demo.png"
    style.save(figures.comparison(arms, examples), figure, 110)
    console.print(f"Figure: {figure}   runs: {folder}/*/*/run.json", highlight=False)
    broken = [bound for bound in bounds(arms) if judge and not bound.kept]
    for bound in broken:
        console.print(
            f"[red]Out of bounds: {bound.words} is {bound.value:.3f}, "
            f"not in {bound.low:g} to {bound.high:g}.[/red]"
        )
    return 1 if broken else 0


def table(arms: Sequence[Arm]) -> Table:
    seeds = len(arms[0].runs)
    result = Table(title=f"Mean error in pixels of the 64 x 64 crop, mean of {seeds} seed(s)")
    figures = ("val", "test", "spread", "floor", "parameters", "train s")
    for name in ("arm", "decoder", *figures):
        result.add_column(name, justify="right" if name in figures else "left")
    for arm in arms:
        floor = _floors(arm)
        for decoder in arm.decoders:
            first, chosen = decoder == arm.decoders[0], decoder == arm.chosen
            result.add_row(
                arm.name if first else "",
                f"{decoder} *" if chosen else decoder,
                f"{arm.mean('val', decoder):.3f}",
                f"{arm.mean('test', decoder):.3f}",
                f"{arm.spread('test', decoder):.3f}" if seeds > 1 else "n/a",
                f"{floor[decoder]:.3f}" if decoder in floor else "",
                f"{arm.parameters:,}" if first else "",
                f"{arm.seconds:.0f}" if first else "",
                style="bold" if chosen else None,
                end_section=decoder == arm.decoders[-1],
            )
    return result


def _floors(arm: Arm) -> dict[str, float]:
    """What each decoder leaves where the network makes no mistake, in pixels."""
    record = arm.runs[0].record
    job = prepare(of_record(record), record["choices"])
    codec = job.codec_of(instantiate(job.config.head, "head"))
    return floors(codec, job.schema.joints) if isinstance(codec, Codec) else {}


def words(arms: Sequence[Arm]) -> str:
    runs = [run for arm in arms for run in arm.runs]
    ranked = sorted(arms, key=lambda arm: arm.mean("test", arm.chosen))
    widest = max(arms, key=lambda arm: arm.spread("test", arm.chosen))
    steps = runs[0].record["steps"]
    order = ", ".join(f"{arm.name} {arm.mean('test', arm.chosen):.3f}" for arm in ranked)
    lines = [
        "* chosen on val; test was read once, after that. spread: highest minus lowest seed. "
        "floor: the decoder's own error where the network makes none.",
        f"With the chosen decoders, test error is: {order} px.",
    ]
    if len(arms[0].runs) > 1:
        lines.append(
            f"The seeds of {widest.name} differ by {widest.spread('test', widest.chosen):.3f} px: "
            "two arms closer than that are not told apart by this run."
        )
    lines += [
        f"What {steps} steps can decide: how much of an arm's error is its decoder's and not its "
        "network's (its floor, and argmax against the rest).",
        f"What they cannot: which layout is better. After {steps} steps a dense 1-D head is still "
        "learning, and bright joints on small images favour local heads.",
    ]
    return "\n".join(lines)


def bounds(arms: Sequence[Arm]) -> list[Bound]:
    """Ranges about what two seeds gave, wide as other machines differ; none ranks a layout."""

    def error(name: str, decoder: str | None = None) -> float:
        arm = next(arm for arm in arms if arm.name == name)
        return arm.mean("test", decoder or arm.chosen)

    mse_2d, simcc = error("mse_2d"), error("simcc")
    return [
        Bound("mse_2d with argmax", error("mse_2d", "argmax"), 1.50, 1.75),
        Bound("mse_2d with its chosen decoder", mse_2d, 0, 0.6),
        Bound("what mse_2d gains by decoding", error("mse_2d", "argmax") - mse_2d, 0.8, 2),
        Bound("simcc with its chosen decoder", simcc, 0, 1.4),
        Bound("what simcc gains by decoding", error("simcc", "argmax") - simcc, -0.05, 0.2),
        Bound("marginal with soft_argmax", error("marginal", "soft_argmax"), 0, 0.8),
    ]
