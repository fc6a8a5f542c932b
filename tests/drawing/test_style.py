"""Figures show what they are told, whatever it looks like."""

import io

import numpy as np

from heatmap_research.data.audit import contact_sheet
from heatmap_research.drawing.style import single

FORMULA = "$x^{$"  # which Matplotlib cannot read as one


def test_a_name_with_dollar_signs_is_shown_as_it_is_and_powers_as_formulas():
    figure, axes = single((4, 3))
    axes.bar([f"{FORMULA} {joint}" for joint in range(3)], [1, 10, 100], label=FORMULA)
    axes.set(yscale="log", title=FORMULA, ylabel=FORMULA)
    axes.legend()
    figure.savefig(text := io.StringIO(), format="svg", metadata={"Date": None})
    assert text.getvalue().count(f"<!-- {FORMULA}") == 6
    assert "mathdefault{10^{1}}" in text.getvalue()


def test_a_contact_sheet_of_such_names_is_drawn(tmp_path):
    points, box = np.array([[10.0, 10, 2], [20, 20, 2]]), np.array([5.0, 5, 30, 30])
    person = contact_sheet.DrawnPerson(FORMULA, points, box)
    skeleton = contact_sheet.Skeleton((FORMULA, "b"), ("red", "red"), ((0, 1),))
    contact_sheet.write(contact_sheet.sheet([person], skeleton, FORMULA), tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size
