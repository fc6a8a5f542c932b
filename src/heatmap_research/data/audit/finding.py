"""One kind of problem in an annotation file, where it is, and what training makes of it."""

from collections.abc import Sequence
from dataclasses import dataclass

REFUSED = "refused"
LEFT_OUT = "left out"
LEARNT = "learnt as it is"
UNREAD = "not read"
SKIPPABLE = f"{REFUSED}; data.on_error=skip leaves it out"


@dataclass(frozen=True)
class Finding:
    problem: str
    where: Sequence[str]  # the names of all records that have it, which may be none
    training: str  # what training does with these records

    @property
    def refused(self) -> bool:
        return self.training.startswith(REFUSED)

    def first(self, number: int) -> str:
        """Names the first records, and their kind only once: `annotation 3, 4 and 2 more`."""
        shown = self.where[:number]
        kind = shown[0].split(" ", 1)[0] + " "
        names = [shown[0], *(name.removeprefix(kind) for name in shown[1:])]
        more = len(self.where) - number
        return ", ".join(names) + (f" and {more} more" if more > 0 else "")
