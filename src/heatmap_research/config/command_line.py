"""The words after a command, put in the order that Hydra wants; refuses what is no `key=value`."""

import re
from collections.abc import Sequence
from difflib import get_close_matches

from hydra.core.override_parser.types import Quote, QuotedString

from heatmap_research.types import IncompatibleError

FLAGS = (  # Hydra's, alone or with a value behind it
    *("--help", "-h", "--hydra-help", "--version", "--resolve", "--run", "-r", "--multirun", "-m"),
    *("--shell-completion", "-sc"),
)
WITH_VALUE = (
    *("--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn"),
    *("--config-dir", "-cd", "--experimental-rerun", "--info", "-i"),
)
BEGUN = re.compile(r"[+~]{0,2}[\w./@-]*\w\s*=")
LEFT_OUT = re.compile(r"~[\w./@-]+$")
BRACKETS = {"[": "]", "{": "}", "(": ")"}


def arranged(words: Sequence[str]) -> list[str]:
    """Flags first, wherever they were typed, then each `key=value` as it was typed."""
    flags, values, rest = [], [], list(words)
    while rest:
        word = rest.pop(0)
        if word.startswith("-"):
            flags.append(word)
            if _flag(word) in WITH_VALUE and "=" not in word and rest:
                flags.append(rest.pop(0))
        else:
            values.append(_checked(word, rest))
    return [*flags, *values]


def quoted(value: str) -> str:
    """A value that Hydra takes letter by letter."""
    return QuotedString(value, Quote.single).with_quotes()


def _flag(word: str) -> str:
    """The flag that a word stands for; refuses a key with dashes before it."""
    name, _, value = word.partition("=")
    known = (*FLAGS, *WITH_VALUE)
    if name in known:
        return name
    if name.startswith("--") and (full := [flag for flag in known if flag.startswith(name)]):
        return full[0]
    if close := get_close_matches(name, [flag for flag in known if flag.startswith("--")], n=1):
        raise IncompatibleError(f"{word}: there is no such flag; did you mean {close[0]}?")
    key = name.lstrip("-").replace("-", "_")
    raise IncompatibleError(f"{word}: values are given without dashes: {key}={value or 'VALUE'}.")


def _checked(word: str, rest: Sequence[str]) -> str:
    """The word, if it is whole; words behind it that belong to it show that it was cut apart."""
    pieces = [word]
    for more in rest:
        if more.startswith("-") or (_is_begun(more) and not _is_open(pieces)):
            break
        pieces.append(more)
        if _is_whole("".join(pieces)):
            break
    together = "".join(pieces)
    if len(pieces) > 1 and not _is_whole(word) and _is_whole(together):
        raise IncompatibleError(
            f"{' '.join(pieces)}: a space parts words here; write it without: {_quoted(together)}"
        )
    if not _is_begun(word):
        key = word if re.fullmatch(r"[\w.]+", word) else "KEY"
        raise IncompatibleError(f"{word}: give a value to a key, as {key}=VALUE, without spaces.")
    key, _, value = word.partition("=")
    if key != key.strip() or value.strip() != value:
        tight = f"{key.strip()}={value.strip()}"
        raise IncompatibleError(f"{word}: write it without spaces about the =: {_quoted(tight)}")
    return word


def _is_begun(word: str) -> bool:
    return bool(BEGUN.match(word) or LEFT_OUT.match(word))


def _is_open(pieces: Sequence[str]) -> bool:
    text = "".join(pieces)
    return any(text.count(left) > text.count(right) for left, right in BRACKETS.items())


def _is_whole(text: str) -> bool:
    if LEFT_OUT.match(text):
        return True
    begun = BEGUN.match(text)
    return bool(begun and text[begun.end() :] and text[-1] != "," and not _is_open([text]))


def _quoted(text: str) -> str:
    """As a shell takes it: brackets mean files to some."""
    return f"'{text}'" if re.search(r"[\[\]{}()*$ ]", text) else text
