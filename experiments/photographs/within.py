"""What photographs say: the mean error, joints within 4 px, and PCK by each arm's best decoder."""

from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from statistics import mean

from heatmap_research.analysis.comparison.verdict import kept
from heatmap_research.jobs.question import answered, of_runs

DECODERS = ("dark_blur", "argmax", "soft_argmax")
WITHIN = {"metric": "PCK@4px", "margin": 0.02, "yes_if": "below"}
TORSO = "PCK_torso@0.2"


def print_answers(folder: Path) -> None:
    from answers import listed, words  # beside the folders, as the caller's path has it

    runs = kept.kept(folder)
    question = of_runs(runs)
    if question is None:
        raise ValueError(f"{folder}: its runs were made for no question.")
    print(*words(answered(runs, None)), sep="\n")
    for decoder in DECODERS:
        able = [run for run in runs if decoder in run.decoders]
        answers = replace(question, decoder=decoder, **WITHIN).answer(able)
        print(*listed(f"Joints within 4 px, all read by `{decoder}`", answers), sep="\n")
    arms = defaultdict(list)
    for run in runs:
        arms[run.arm].append(run)
    for arm, own in arms.items():
        figures = {
            stage: {d: mean(r.metric(stage, d, TORSO) or 0.0 for r in own) for d in own[0].decoders}
            for stage in ("val", "test")
        }
        best = max(figures["val"], key=lambda name: figures["val"][name])
        print(f"- {TORSO} of {arm} by `{best}`, best on val: {figures['test'][best]:.3f}")
    print()
