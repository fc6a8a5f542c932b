"""Whether covariances are given as maps have them, or as wide as was found right on val."""

from pathlib import Path

from heatmap_research.config.job import Job
from heatmap_research.runs.widening import fitted
from heatmap_research.types import IncompatibleError

RAW, CALIBRATED = "raw", "calibrated"


def factor(job: Job, folder: Path, weights: Path, asked: str | None) -> float | None:
    """By how much all widths are multiplied; None for covariances as maps have them.

    Without being asked, wherever a factor is known for these weights, decoder and flip test.
    """
    if asked not in (None, RAW, CALIBRATED):
        raise IncompatibleError(f"covariance={asked}: choose raw or calibrated, or null.")
    if asked == RAW:
        return None
    (decoder,) = job.codec.decoders
    option = job.record["decoder"][decoder]
    found = fitted(folder, decoder, option, job.config.flip_test, weights)
    if asked == CALIBRATED and not job.codec.has_covariance:
        raise IncompatibleError(
            f"covariance=calibrated: run={folder} answers with coordinates without a spread, which "
            "have no covariance: choose null."
        )
    if asked == CALIBRATED and found is None:
        flip = str(bool(job.config.flip_test)).lower()
        raise IncompatibleError(
            f"covariance=calibrated: no factor was fitted on val for decoder={decoder}, "
            f"flip_test={flip} and these weights: heatmap-evaluate run={folder} decoder={decoder} "
            f"flip_test={flip} does, or choose covariance=raw."
        )
    return found


def words(job: Job, widening: float | None, asked: str | None) -> str:
    """What a summary says of it; nothing where there is no covariance."""
    if not job.codec.has_covariance:
        return ""
    if widening is not None:
        return f", covariances as calibrated on val (widths times {widening:.3g})"
    return ", covariances raw" + " (no evaluation has fitted their widths)" * (asked is None)
