"""Tunes arms with an equal budget, and goes on where it was cut off."""

from functools import partial
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from heatmap_research.jobs.tune import space, studies
from heatmap_research.jobs.tune.arms import Arm, arms_of, asked, try_out
from heatmap_research.jobs.tune.outcome import conclude
from heatmap_research.jobs.tune.search import Search, Trial, trials
from heatmap_research.jobs.tune.trial import NoSuchFigureError, train
from heatmap_research.training.callbacks.interruption import InterruptedRunError
from heatmap_research.types import IncompatibleError


def run(cfg: DictConfig) -> None:
    space.check(cfg)
    search, arms = space.search_of(cfg), arms_of(cfg)
    space.refuse_given(cfg, HydraConfig.get().overrides.task)
    for arm in arms:
        try_out(arm, search, cfg.tune.looks)
    trials_of = _search(cfg, search, arms)
    conclude(cfg, search, arms, trials_of)


def _search(cfg: DictConfig, search: Search, arms: list[Arm]) -> dict[str, list[Trial]]:
    folder = Path(cfg.tune.folder).resolve()
    fatal = (NoSuchFigureError, InterruptedRunError)
    with space.named("tune.storage"), studies.opened(str(cfg.tune.storage)) as storage:
        known = {
            arm.name: studies.study(storage, arm.name, search.maximise, asked(arm, search, cfg))
            for arm in arms
        }
        for name, study in known.items():
            if not study.trials and any((folder / name).glob("*/run.json")):
                raise IncompatibleError(
                    f"tune.folder={cfg.tune.folder}: it holds runs of {name} that "
                    f"tune.storage={cfg.tune.storage} knows nothing of: choose another folder."
                )
            if (had := len(trials(study))) > search.trials:
                raise IncompatibleError(
                    f"tune.trials={search.trials}: {name} has had {had} trials in this study; give "
                    f"{had} or more, so that each arm has as many, or choose another tune.folder."
                )
        return {
            arm.name: search.run(
                partial(train, arm, search, folder, cfg.tune.looks), known[arm.name], fatal
            )
            for arm in arms
        }
