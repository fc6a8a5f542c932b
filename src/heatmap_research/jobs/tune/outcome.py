"""The end of a search: a table, a figure, and each arm with its best values, ready to train."""

import shlex
from collections.abc import Mapping
from pathlib import Path

from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table

from heatmap_research.drawing import style
from heatmap_research.jobs.tune import figure
from heatmap_research.jobs.tune.arms import Arm, key_of, word
from heatmap_research.jobs.tune.search import Search, Trial
from heatmap_research.runs import whole_file
from heatmap_research.types import IncompatibleError

STATES = ("finished", "pruned", "failed")
SEEDS = 5  # to confirm on, behind the one that was tuned on
NOT_REPEATED = ("arm", "seed", "evaluate", "resume")  # by the command that trains a tuned arm


def conclude(
    cfg: DictConfig, search: Search, arms: list[Arm], searched: dict[str, list[Trial]]
) -> None:
    folder = Path(cfg.tune.folder).resolve()
    console = Console(width=None if Console().is_terminal else 140)
    console.print(table(cfg, search, searched))
    unit = ", px" if "pixel_error" in cfg.monitor else ""
    drawn = figure.draw(searched, search, f"{cfg.monitor} on val{unit}")
    style.save(drawn, folder / "tune.png", 110)
    place = shlex.quote(str(cfg.tune.folder))
    for arm in arms:
        if best := search.best(searched[arm.name]):
            text = tuned(cfg, arm, best, searched[arm.name])
            whole_file.write(folder / "tuned" / f"{arm.name}.yaml", text)
            print(command(arm, search, place, cfg.seed))
    print(f"Figure: {cfg.tune.folder}/tune.png   runs: {cfg.tune.folder}/ARM/NUMBER")
    for name, trials in searched.items():
        if not search.best(trials):
            errors = [trial.error for trial in trials if trial.error]
            raise IncompatibleError(
                f"{name}: none of its {len(trials)} trials came to its end; the last that failed: "
                f"{errors[-1] if errors else 'all were pruned'}"
            )


def table(cfg: DictConfig, search: Search, searched: Mapping[str, list[Trial]]) -> Table:
    steps = cfg.trainer.max_steps
    length = f" of {steps:,} steps" if steps > 0 else ""
    result = Table(title=f"Best {cfg.monitor} on val; each arm had {search.trials} trials{length}")
    figure = cfg.monitor.rpartition("/")[2]
    names = [parameter.key.rpartition(".")[2] for parameter in search.space]
    for name in ("arm", figure, "decoder", "trial", *names, *STATES, "steps spent"):
        result.add_column(name, justify="left" if name in ("arm", "decoder") else "right")
    for arm, trials in searched.items():
        figures = ["-"] * (3 + len(search.space))
        if best := search.best(trials):
            values = [word(best.values[parameter.key]) for parameter in search.space]
            figures = [f"{best.figure:.4g}", best.facts["decoder"], str(best.number), *values]
        result.add_row(arm, *figures, *map(str, counts(trials)), f"{spent(trials):,}")
    return result


def counts(trials: list[Trial]) -> list[int]:
    return [sum(trial.status == state for trial in trials) for state in STATES]


def spent(trials: list[Trial]) -> int:
    return sum(trial.steps for trial in trials)


def tuned(cfg: DictConfig, arm: Arm, best: Trial, trials: list[Trial]) -> str:
    """A YAML of the arm with its best values: an option of experiment or of a group of its own."""
    groups = GlobalHydra.instance().config_loader().list_groups("")
    chosen = {key: value for key, value in best.values.items() if key in groups}
    options = ({"arm": arm.name} if arm.named else {}) | chosen
    defaults = [{f"override /{group}": option} for group, option in options.items()]
    body = OmegaConf.create({"defaults": defaults} if defaults else {})
    for key, value in best.values.items():
        if key not in chosen:
            rounded = float(word(value)) if isinstance(value, float) else value
            OmegaConf.update(body, key, rounded, force_add=True)
    states = ", ".join(f"{n} {state}" for n, state in zip(counts(trials), STATES, strict=True))
    head = (
        "# @package _global_\n"
        f"# {arm.name} as heatmap-tune left it: {cfg.monitor} {best.figure:.4g} on val with "
        f"{best.facts['decoder']},\n"
        f"# trial {best.number} of {len(trials)}: {states}; {spent(trials):,} steps; "
        f"seed {cfg.seed}.\n"
        "# As an experiment: copy it into conf/experiment.\n"
    )
    return head + OmegaConf.to_yaml(body)


def command(arm: Arm, search: Search, place: str, seed: int) -> str:
    """The command line that trains the tuned arm on seeds it was not tuned on, and reads test."""
    varied = {*NOT_REPEATED, *(each.key for each in search.space)}
    rest = [text for text in arm.overrides if key_of(text) not in varied]
    seeds = ",".join(str(seed + n) for n in range(1, SEEDS + 1))
    words = shlex.join([f"+tuned={arm.name}", *rest, f"seed={seeds}"])
    return f"heatmap-train -m --config-dir {place} {words}"
