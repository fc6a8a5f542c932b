"""Prints OKS tolerances that were estimated from people annotated twice."""

from rich.text import Text

from heatmap_research.data.audit.printed import console_of_lines, say, table
from heatmap_research.data.audit.tolerances import Estimate, Tolerance

COLUMNS = ("joint", "people", "sigma", "95 % interval", "of the median")
MUCH = 1.5  # times what the median says


def show(found: Estimate) -> None:
    """Each joint's tolerance, and the words that hand them to a training."""
    console = console_of_lines()
    rows = (map(Text, _tolerance(joint)) for joint in found.joints)
    console.print(table(COLUMNS, ("joint",), rows))
    alone = f"; {found.alone} in one of the files alone do not count" if found.alone else ""
    say(console, f"{found.people} people are in both files{alone}.")
    for joint in found.joints:
        if joint.sigma > MUCH * joint.of_median:
            words = "swapped sides or other gross mistakes make much of its sigma"
            say(console, f"{joint.name}: {words}; look at them, or take the median's.", "yellow")
    if unknown := [joint.name for joint in found.joints if not joint.pairs]:
        say(
            console,
            f"Nobody has {', '.join(unknown)} in both files: no sigmas can be given.",
            "red",
        )
    else:
        say(console, f"data.sigmas=[{','.join(f'{joint.sigma:.4f}' for joint in found.joints)}]")


def _tolerance(joint: Tolerance) -> tuple[str, ...]:
    if not joint.pairs:
        return (joint.name, "0", *["n/a"] * 3)
    interval = f"{joint.low:.4f} to {joint.high:.4f}" if joint.pairs > 1 else "n/a"
    numbers = (f"{joint.sigma:.4f}", interval, f"{joint.of_median:.4f}")
    return (joint.name, str(joint.pairs), *numbers)
