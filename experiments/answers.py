"""Recomputes what READMEs here state: python experiments/answers.py [--write] [NAME ...]

Between its lines <!-- answer --> and <!-- end --> a README has what comes of its cells.parquet
alone: of its own answer.py, or else of the question in its runs.json, as heatmap-report puts it.
Ends with status 1 where a README says otherwise; --write puts the words in.
"""

import argparse
import difflib
import re
import runpy
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path
from statistics import mean, stdev

from heatmap_research.analysis.comparison.contrast.question import Answer, Answers
from heatmap_research.analysis.comparison.verdict import kept
from heatmap_research.analysis.comparison.verdict.wording import chance, number
from heatmap_research.jobs.question import answered, of_runs
from heatmap_research.runs.find import Run

HERE = Path(__file__).parent
PLACE = re.compile(r"(?<=<!-- answer -->\n).*?(?=<!-- end -->)", re.DOTALL)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("names", nargs="*", default=_answered())
    asked.add_argument("--write", action="store_true")
    given = asked.parse_args()
    wrong = [name for name in given.names if not _holds(HERE / name, given.write)]
    if wrong:
        sys.exit(f"answers: other than their cells.parquet say: {', '.join(wrong)}")
    print(f"answers: {', '.join(given.names)} say what their cells.parquet say")


def _answered() -> list[str]:
    files = (*HERE.glob("*/cells.parquet"), *HERE.glob("*/answer.py"))
    return sorted({file.parent.name for file in files})


def _holds(folder: Path, write: bool) -> bool:
    readme = folder / "README.md"
    text = readme.read_text()
    if not (stated := PLACE.search(text)):
        print(f"{readme} has no <!-- answer --> and <!-- end -->")
        return False
    found = answer(folder)
    if write:
        readme.write_text(text[: stated.start()] + found + text[stated.end() :])
        return True
    lines = (stated[0].splitlines(), found.splitlines())
    print(*difflib.unified_diff(*lines, "stated", "found", lineterm=""), sep="\n", end="")
    return stated[0] == found


def answer(folder: Path) -> str:
    """What the files of an experiment say, in Markdown."""
    if (own := folder / "answer.py").exists():
        with redirect_stdout(StringIO()) as said:
            runpy.run_path(str(own), run_name="__main__")
        return said.getvalue()
    found = answered(kept.kept(folder), None)
    if found is None:
        raise ValueError(f"{folder}: its runs were made for no question, or it cannot be answered.")
    return "\n".join(words(found))


def listed(title: str, answers: Answers | None) -> Iterator[str]:
    """An answer and its family as a list, below a title."""
    if answers is None:
        raise ValueError(f"{title}: it cannot be answered.")
    yield f"{title}:\n"
    for one in (answers.lead, *answers.family):
        yield f"- {one.name or 'the question'}: {one.words}"
    yield ""


def by_one(runs: Sequence[Run], decoders: Sequence[str], title: str) -> Iterator[str]:
    """The question of these runs once more, read by one decoder for all."""
    for decoder in decoders:
        question = replace(of_runs(runs), decoder=decoder)
        yield from listed(title.format(decoder), question.answer(runs))


def words(answers: Answers) -> Iterator[str]:
    """The answer in its words, then every contrast and every cell that it is made of."""
    yield f"{answers.words}\n"
    yield _row(["asked", "figure", "estimate", "95 % interval", "unit", "p", "seeds, images"])
    yield _row(["---"] * 7)
    for one in (answers.lead, *answers.family):
        known = one.estimate
        ends = (number(end, known.interval) for end in (known.interval.low, known.interval.high))
        size = number(known.interval.estimate, known.interval)
        counted = f"{len(known.seeds)}, {known.images}"
        p = chance(one.p).removeprefix("p ").removeprefix("= ")
        name = one.name or "**the question**"
        yield _row([name, _what(one), size, " to ".join(ends), one.unit, p, counted])
    yield ""
    yield _row(["cell", "read by", answers.question.metric, "sd over seeds"])
    yield _row(["---"] * 4)
    yield from dict.fromkeys(_cell_rows(answers))
    yield ""


def _cell_rows(answers: Answers) -> Iterator[str]:
    """The mean over seeds of every cell that some contrast is made of."""
    metric = answers.question.metric
    for one in (answers.lead, *answers.family):
        for group, decoder in one.estimate.groups:
            found = [run.metric(kept.STAGE, decoder, metric) for run in group.runs.values()]
            spread = f"{stdev(found):.3f}" if len(found) > 1 else "n/a"
            yield _row([group.arm, decoder, f"{mean(found):.3f}", spread])


def _what(one: Answer) -> str:
    return one.what.replace("|", "\\|")


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
