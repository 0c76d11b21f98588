"""Words of a note or of the code set, brought to one form."""

import re
from functools import lru_cache

from revcycle_codes.suggestion.abbreviations import CAPITALS, COMPOUNDS, EXPANSIONS, HEADING_CAPITALS, READINGS

_JOINT = "·"
_WORD = re.compile(rf"[A-Za-z0-9{_JOINT}]+(?:'[a-z]+)?")
_COMPOUND = re.compile(COMPOUNDS, re.IGNORECASE)
_SEPARATORS = str.maketrans(dict.fromkeys("-/. ", _JOINT))
_READ = tuple((re.compile(pattern, re.IGNORECASE), instead) for pattern, instead in READINGS)
_MAY_READ = re.compile(
    r"[\d/]|\b(?:si|ac|[mt]r|a[irs]|ed|situ|place|rtc|stage|type|class|grade|bipolar|gold|ckd|ms|add|pcp|lad|rca|lcx|circumflex|end)\b",
    re.IGNORECASE,
)
_HEADING_CAPITALS = re.compile(rf"\b({'|'.join(HEADING_CAPITALS)})\b")
_ROMAN = re.compile(r"\b(stage|type|class|grade|bipolar|gold) (i{1,3}|iv|v)([ab]?)\b", re.IGNORECASE)
_NUMBERS = {"i": "1", "ii": "2", "iii": "3", "iv": "4", "v": "5"}
_STAGE = re.compile(r"\bckd[- ]?(?:stage )?g?([1-5][ab]?|i{1,3}[ab]?|iv|v)\b", re.IGNORECASE)
_STAGED = r"ckd stage \1"
# Levels of the spine: "L4-5" is lumbar, "L1" the first lumbar vertebra.
_REGIONS = {"c": "cervical", "t": "thoracic", "l": "lumbar", "s": "sacral"}
_LEVELS = re.compile(
    r"\b(?:l5[-/ ]*s1|(?P<region>[ctl])(?P<level>\d{1,2})(?P<further>(?: ?[-/–] ?[ctls]?\d{1,2})*))\b"
    r"(?! ?(?:dm|diabet))",
    re.IGNORECASE,
)
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh")
# Two words for one part of the body, and the one they become.
_PAIRS = {(level, part): limb for level, limb in (("lower", "leg"), ("upper", "arm")) for part in ("extremity", "limb")}
# What a code's text says and a clinician need not: words in brackets, and what the patient does not have.
_OPTIONAL = re.compile(
    r"\([^()]*\)|\[[^\[\]]*\]|\bwithout foreign body\b|\b(?:without|not)\b[^,;]*|\bunspecified\b|\bnos\b", re.IGNORECASE
)
_ENCOUNTER = re.compile(r", ((?:initial|subsequent) encounter.*|sequela)$")
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
    " acute chronic mild moderate severe right left bilateral sided stable improving worsening recurrent persistent"
    " intermittent ongoing longstanding well poorly uncontrolled controlled history follow up followup disease disorder"
    " syndrome condition"
    " essential primary type healing routine routinely long term"
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
    tokens = [(part, 0, 0) for match in _WORD.findall(_read(text)) for part in _parts(match)]
    return [token for token, _, _ in _paired(tokens)]


def _read(text: str) -> str:
    """The text with its signs, stages and levels in the words of the code set."""
    if not _MAY_READ.search(text):  # most texts have nothing to read, and looking for everything takes long
        return text
    for pattern, instead in _READ:
        text = pattern.sub(instead, text)
    text = _HEADING_CAPITALS.sub(lambda found: HEADING_CAPITALS[found[1]], text)
    return _ROMAN.sub(_arabic, _STAGE.sub(_STAGED, _LEVELS.sub(_level, text)))


def _arabic(found: re.Match[str]) -> str:
    return f"{found[1]} {_NUMBERS[found[2].lower()]}{found[3]}"


def _level(found: re.Match[str]) -> str:
    if found["region"] is None:
        return "lumbosacral"
    region, level = _REGIONS[found["region"].lower()], int(found["level"])
    if found["further"] or not 0 < level <= len(_ORDINALS):
        return region
    return f"{_ORDINALS[level - 1]} {region}"


def _paired(tokens: list[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    """The tokens with the two words of `_PAIRS` made one."""
    found: list[tuple[str, int, int]] = []
    for token, start, end in tokens:
        if found and (one := _PAIRS.get((found[-1][0], token))):
            found[-1] = (one, found[-1][1], end)
        else:
            found.append((token, start, end))
    return found


@lru_cache(maxsize=1024)
def word_set(text: str) -> frozenset[str]:
    """The stems of a joined text; the text around a problem is asked for again and again."""
    return frozenset(words(text))


@lru_cache(maxsize=131_072)
def description_words(description: str) -> frozenset[str]:
    """The stems of a code's text; what its seventh character adds is read once for all codes."""
    if match := _ENCOUNTER.search(description):
        return description_words(description[: match.start()]) | description_words(match[1])
    return frozenset(words(joined(description)))


@lru_cache(maxsize=131_072)
def required_words(description: str) -> frozenset[str]:
    """The stems of a code's text that a clinician has to say: no bracket, nothing that the patient does not have."""
    if match := _ENCOUNTER.search(description):
        return required_words(description[: match.start()]) | required_words(match[1])
    return frozenset(words(joined(_OPTIONAL.sub(" ", description))))


def spans(text: str, start: int, end: int) -> list[tuple[str, int, int]]:
    """Stems of a stretch of text with their characters; a written-out abbreviation keeps the abbreviation's place."""
    return _paired(
        [(part, match.start(), match.end()) for match in _WORD.finditer(text, start, end) for part in _parts(match[0])]
    )


@lru_cache(maxsize=65_536)
def _parts(token: str) -> tuple[str, ...]:
    word = token.lower().removesuffix("'s")
    if word in _STOP:
        return ()
    whole = word.replace(_JOINT, "")
    return tuple(stem(part) for part in _expanded(CAPITALS.get(token, whole)))


def _expanded(text: str) -> list[str]:
    """The words of a text with abbreviations written out; what stands for one may hold another."""
    return [part for word in text.split() for part in (_expanded(EXPANSIONS[word]) if word in EXPANSIONS else [word])]
