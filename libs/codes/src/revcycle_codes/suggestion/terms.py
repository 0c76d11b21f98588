"""Words of a note or of the code set, brought to one form."""

import re
from functools import lru_cache

from revcycle_codes.suggestion.abbreviations import CAPITALS, COMPOUNDS, EXPANSIONS

_JOINT = "·"
_WORD = re.compile(rf"[A-Za-z0-9{_JOINT}]+(?:'[a-z]+)?")
_COMPOUND = re.compile(COMPOUNDS, re.IGNORECASE)
_SEPARATORS = str.maketrans(dict.fromkeys("-/. ", _JOINT))
_ROMAN = re.compile(r"\b(stage|type|class|grade) (i{1,3}|iv|v)\b", re.IGNORECASE)
_NUMBERS = {"i": "1", "ii": "2", "iii": "3", "iv": "4", "v": "5"}
_STAGE = re.compile(r"\bckd-?(\d[ab]?)\b", re.IGNORECASE)
_STAGED = r"ckd stage \1"
_SUFFIXES = (
    ("ies", "y"),
    ("sses", "ss"),
    ("itides", "itis"),
    ("oses", "osis"),
    ("eses", "esis"),
    ("es", "e"),
    ("s", ""),
)
_KEEP_S = ("ss", "us", "is", "as", "os")
_SHORT = 3
_ACRONYMS = frozenset({"pres", "aids", "sars", "mers", "pots"})  # not plurals

_STOP_WORDS = (
    "a an and are as at be by for from had has have he her his in into is it its of on or patient she that the their"
    " this to was were which who with your our we i today new newly found"
    " diagnosed diagnosis known onset due status post s"
)
_STOP = frozenset(_STOP_WORDS.split())
_LIGHT_WORDS = (
    "unspecified other nos nec not elsewhere classified specified site part without encounter initial mention"
    " acute chronic mild moderate severe right left bilateral stable improving worsening recurrent persistent"
    " intermittent ongoing longstanding well poorly uncontrolled controlled history follow up followup disease disorder"
    " syndrome condition"
    " essential primary type"
)


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """A lower-case word without its plural ending."""
    if len(word) <= _SHORT or word in _ACRONYMS or word.endswith(_KEEP_S):
        return word
    for suffix, instead in _SUFFIXES:
        if word.endswith(suffix):
            return word[: -len(suffix)] + instead
    return word


# Words that tell little by themselves: they count a quarter and never find a phrase alone.
LIGHT = frozenset(stem(word) for word in _LIGHT_WORDS.split())


def joined(text: str) -> str:
    """The text with compounds made one word, every character in its place: "A-fib" becomes "A·fib"."""
    return _COMPOUND.sub(lambda found: found[0].translate(_SEPARATORS), text)


def words(text: str) -> list[str]:
    """Stems of a joined text in order, abbreviations written out, stop words left out."""
    plain = _ROMAN.sub(lambda found: f"{found[1]} {_NUMBERS[found[2].lower()]}", _STAGE.sub(_STAGED, text))
    return [part for match in _WORD.findall(plain) for part in _parts(match)]


@lru_cache(maxsize=1024)
def word_set(text: str) -> frozenset[str]:
    """The stems of a joined text; the text around a problem is asked for again and again."""
    return frozenset(words(text))


def spans(text: str, start: int, end: int) -> list[tuple[str, int, int]]:
    """Stems of a stretch of text with their characters; a written-out abbreviation keeps the abbreviation's place."""
    return [
        (part, match.start(), match.end()) for match in _WORD.finditer(text, start, end) for part in _parts(match[0])
    ]


@lru_cache(maxsize=65_536)
def _parts(token: str) -> tuple[str, ...]:
    word = token.lower().removesuffix("'s")
    if word in _STOP:
        return ()
    whole = word.replace(_JOINT, "")
    return tuple(stem(part) for part in (CAPITALS.get(token) or EXPANSIONS.get(whole, whole)).split())
