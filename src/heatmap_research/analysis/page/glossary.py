"""What the page's statistical words mean: on hover where they are first met, and at its end."""

import re

from markupsafe import Markup, escape

MEANINGS = {
    "interval": "a range made so that 95 of 100 such ranges hold the true value (or another level)",
    "new seeds": "of initialisation and of the order of images, on one set of training images",
    "two-way random effects": "seeds and images are both a sample: the interval is for new ones of "
    "either",
    "Satterthwaite": "degrees of freedom of an error that is a sum of several",
    "bootstrap": "images drawn again and again from those there are, with replacement",
    "standard deviation": "how far runs lie from their mean; no statement on the mean itself",
    "Holm": "p values made larger for the number of comparisons, so that any false finding among "
    "all is as rare as in one",
    "p": "how often chance alone, without any difference, gives as much or more",
    "margin": "what was said beforehand to be too small to matter",
    "equivalent": "shown to lie within the margin, by two one-sided tests",
    "told apart": "p is below the level: the difference is not 0",
    "interaction": "how much one difference changes with another choice",
    "Shapley": "a step's gain, averaged over all orders in which the steps can be taken",
    "floor": "the error that a decoder leaves on faultless maps",
    "AURC": "mean error while joints are taken in the order of their scores",
    "ECE": "how far scores are from the share that is right",
}
WORDS = re.compile(rf"\b({'|'.join(sorted(map(re.escape, MEANINGS), key=len, reverse=True))})\b")


def glossed(text: str) -> Markup:
    """The text with its words of the glossary explained on hover, each once."""
    seen: set[str] = set()

    def explained(match: re.Match[str]) -> str:
        if match[0] in seen or len(match[0]) == 1:
            return match[0]
        seen.add(match[0])
        return f'<abbr title="{escape(MEANINGS[match[0]])}">{match[0]}</abbr>'

    return Markup(WORDS.sub(explained, str(escape(text))))
