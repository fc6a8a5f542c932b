"""What a run says while it trains, and what it came to."""

import logging
import sys
from collections.abc import Sequence

from pytorch_lightning.callbacks import Callback

from heatmap_research.config.job import Job
from heatmap_research.runs import record
from heatmap_research.runs.store import RunStore
from heatmap_research.training.callbacks.progress import Bar, Lines

log = logging.getLogger(__name__)

Metrics = dict[str, dict[str, dict[str, float]]]  # stage -> decoder -> metric


def progress(sweep: bool, watched: str) -> Callback:
    if sys.stdout.isatty() and not sweep:
        return Bar(1, watched)
    return Lines(600 if sweep else 10, watched)


def announce(job: Job, size: dict[str, int]) -> None:
    cfg, choices = job.config, job.choices
    log.info(
        f"{choices.get('arm') or choices.get('head')}: {choices.get('backbone')}, "
        f"{size['parameters']:,} parameters, {size['macs'] / 1e6:.1f} M multiply-adds an image, "
        f"stride {cfg.stride}, sigma {cfg.sigma} px, seed {cfg.seed}"
    )


def report(
    metrics: Metrics,
    shown: Sequence[str],
    unread: Sequence[str],
    store: RunStore,
    sweep: bool,
    beyond_reach: Sequence[str] = (),  # metrics that none of these answers can be counted by
) -> None:
    """Prints what a run came to; in one line, of one figure, where jobs follow each other."""
    lines, known = [], store.read()
    twice = record.reads_val_twice(known["config"])
    for stage, decoders in metrics.items():
        rest = "" if sweep else "".join(f"  {decoder} n/a" for decoder in unread)
        same = " (is val)" if stage == "test" and twice else ""
        known_here = [name for name in shown if name in next(iter(decoders.values()))]
        for name in known_here[:1] if sweep else known_here:
            values = "  ".join(f"{d} {figures[name]:.3f}" for d, figures in decoders.items())
            lines.append(f"{stage}{same} {name}: {values.replace(' nan', ' n/a')}{rest}")
    if not sweep:
        lines += [
            f"{name}: n/a, as coordinates without a spread have no covariance"
            for name in beyond_reach
        ]
    seconds = known.get("seconds")
    took = f"trained in {seconds:.0f} s, " if seconds else ""
    lines.append(f"{took}recorded in {store.folder}")
    log.info("; ".join(lines) if sweep else "\n".join(f"  {line}" for line in lines))
