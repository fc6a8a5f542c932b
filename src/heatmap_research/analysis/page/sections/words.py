"""The glossary as a table, for those who cannot hover."""

from heatmap_research.analysis.page.glossary import MEANINGS
from heatmap_research.analysis.page.parts import Folded, Section, table
from heatmap_research.analysis.page.study import Study


def section(study: Study) -> Section:
    rows = sorted(MEANINGS.items(), key=lambda item: item[0].lower())
    listed = table("Statistical words of this page.", ["word", "meaning"], rows)
    return Section("Glossary", [Folded("What the words mean", [listed])])
