"""Cells of a CSV file that a spreadsheet shows as words, whatever they begin with."""

from typing import Any

FORMULA = tuple("=+-@\t\r\n")  # what a formula begins with, or what is left out before one


def cell(value: Any) -> Any:
    """Words that would be worked out as a formula have an apostrophe before them."""
    works_out = isinstance(value, str) and value.startswith(FORMULA) and not _is_number(value)
    return f"'{value}" if works_out else value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
