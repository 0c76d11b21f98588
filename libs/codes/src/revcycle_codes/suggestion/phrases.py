"""The phrases of a release and the search over them: weighted words, coverage both ways."""

import math
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from heapq import nlargest

from msgspec import Struct

from revcycle_codes.loaders.tabular import TabularNode
from revcycle_codes.suggestion.body import SITE_WORDS
from revcycle_codes.suggestion.terms import LIGHT, description_words, joined, required_words, words

_LIGHT_WEIGHT = 0.25
_CONTEXT_WEIGHT = 0.5
_OPTIONAL_WEIGHT = 0.2
_UNKNOWN_WEIGHT = 0.35
_STEPS = 2**20
_LEAST = 0.3
_PLACE_DISCOUNT = 0.6  # a place that a phrase does not name decides the leaf, not whether the phrase is meant
_COMMON = 6_000
_LETTERS = re.compile(r"[A-Z]{2,4}")
_ABBREVIATION = re.compile(r"[\[(]([A-Z]{3,6})[\])]")
_COMPLETIONS = 3_000
_TABULAR_WEIGHT = 0.97
_INCLUSION_WEIGHT = 0.96
# Words of a code that say whose or what kind of condition it is: unsaid, the code is not meant.
_MARK_WORDS = (
    "newborn neonatal perinatal congenital puerperium pregnancy labor fetal maternal malignant neoplasm poisoning"
    " adverse underdosing displacement leakage breakdown complication postprocedural syphilitic gonococcal tuberculous"
    " leprosy diphtheritic screening exposure burn corrosion thalassemia embolism subluxation long without"
)
_MARKS = frozenset(_MARK_WORDS.split())
_UNMARKED = 0.7
_OTHER, _UNSAID_OTHER = "other", 0.95
_NONE: frozenset[str] = frozenset()


class Phrase(Struct, frozen=True):
    """Words that name a code: a description, inclusion term, index entry or name in use. `optional` are stems that
    the phrase stands for without being said.
    """

    code: str
    path: tuple[str, ...]
    stems: frozenset[str]
    weight: float = 1.0
    optional: frozenset[str] = frozenset()


class Match(Struct, frozen=True):
    """A phrase found for a query: score, and how much of the phrase the query and its context say, both 0 to 1."""

    phrase: Phrase
    score: float
    coverage: float


def tabular_phrases(nodes: Iterable[TabularNode]) -> list[Phrase]:
    """Descriptions and inclusion terms of every listed code but external causes."""
    found = []
    for node in nodes:
        if node.extension_of or node.code[0] in "VWXY":
            continue
        texts = [("description", node.description)]
        texts += [("inclusion term", text) for text in (*node.inclusion_terms, *node.includes)]
        for kind, text in texts:
            if _LETTERS.fullmatch(text):  # "PCP" beside a drug's name is a provider in a note
                continue
            stems = description_words(text)
            required = required_words(text)
            weight = _TABULAR_WEIGHT if kind == "description" else _INCLUSION_WEIGHT
            found.append(Phrase(node.code, (kind, text), stems, weight, stems - required if required else _NONE))
            if node.code[0] not in "PRTZ":  # organisms of the newborn, tests and drugs
                found += [
                    Phrase(node.code, ("abbreviation", short), frozenset(words(short)), _TABULAR_WEIGHT)
                    for short in _ABBREVIATION.findall(text)
                ]
    return found


def alias_phrases(aliases: Mapping[str, str]) -> list[Phrase]:
    """Names in use, preferred over a description that fits as well."""
    return [
        Phrase(code.replace(".", ""), ("name in use", name), frozenset(words(joined(name))))
        for name, code in aliases.items()
    ]


def _in_steps(weight: float) -> float:
    """The weight in steps of 2^-20: sums of such weights are exact, in whatever order a set gives its words."""
    return round(weight * _STEPS) / _STEPS


class PhraseIndex:
    """Phrases by word, with inverse document frequencies."""

    def __init__(self, phrases: Sequence[Phrase]) -> None:
        self.phrases = [phrase for phrase in phrases if phrase.stems]
        self._postings: dict[str, list[int]] = defaultdict(list)
        for number, phrase in enumerate(self.phrases):
            for word in phrase.stems:
                self._postings[word].append(number)
        total = len(self.phrases)
        self._weights = {
            word: _in_steps(math.log(1 + total / len(numbers)) * (_LIGHT_WEIGHT if word in LIGHT else 1.0))
            for word, numbers in self._postings.items()
        }
        self._unknown = _in_steps(math.log(1 + total) * _UNKNOWN_WEIGHT)
        self._totals = [
            self._sum(phrase.stems - phrase.optional) + _OPTIONAL_WEIGHT * self._sum(phrase.optional)
            for phrase in self.phrases
        ]
        self._marks = [(phrase.stems - phrase.optional) & _MARKS for phrase in self.phrases]
        self._vocabulary = sorted(self._postings)
        self.exact: dict[tuple[str, ...], Phrase] = {}
        self.longest = 0

    def add_exact(self, phrase: Phrase, text: str) -> None:
        """Make a phrase findable in running text, its words side by side in any order."""
        key = tuple(sorted(words(joined(text))))
        if key:
            self.exact.setdefault(key, phrase)
            self.longest = max(self.longest, len(key))

    def weight(self, word: str) -> float:
        """How much a word tells; one that no phrase knows (a drug, a course) tells little of the code."""
        return self._weights.get(word, self._unknown)

    def _sum(self, known: Iterable[str]) -> float:
        return sum(self._weights[word] for word in known)

    def search(self, query: Sequence[str], context: frozenset[str], limit: int) -> list[Match]:
        """The best phrases for a query. `context` words (of the text around it) complete a phrase but count half."""
        asked = set(query)
        wanted = sum(self.weight(word) for word in asked)
        if not wanted:
            return []
        telling = context - asked
        said_light = [(word, self._weights[word]) for word in asked & LIGHT if word in self._weights]
        places = [(word, self.weight(word)) for word in asked & SITE_WORDS]
        matched: dict[int, float] = defaultdict(float)
        for word in asked:
            numbers = self._postings.get(word, ())
            if len(numbers) <= _COMMON and word not in LIGHT:
                gain = self._weights[word] if numbers else 0.0
                for number in numbers:
                    matched[number] += gain
        floor = 0.3 * wanted
        scored = []
        for number, gain in matched.items():
            if gain < floor:
                continue
            phrase = self.phrases[number]
            light = sum(weight for word, weight in said_light if word in phrase.stems)
            around = self._sum((phrase.stems & telling) - phrase.optional) * _CONTEXT_WEIGHT if telling else 0.0
            beside = self._sum(phrase.optional & asked) * (1 - _OPTIONAL_WEIGHT) if phrase.optional else 0.0
            elsewhere = sum(weight for part, weight in places if part not in phrase.stems) * _PLACE_DISCOUNT
            query_part = min(1.0, (gain + light) / (wanted - elsewhere))
            phrase_part = min(1.0, (gain + light + around - beside) / self._totals[number])
            if phrase_part < _LEAST:
                continue
            score = 2 * query_part * phrase_part / (query_part + phrase_part) * phrase.weight
            if _OTHER in phrase.stems and _OTHER not in asked:  # as good a name, but of what is not listed
                score *= _UNSAID_OTHER
            if not self._marks[number] <= asked:
                score *= _UNMARKED
            scored.append((score, -number, phrase_part))
        return [Match(self.phrases[-number], score, part) for score, number, part in nlargest(limit, scored)]

    def complete(self, typed: Sequence[str], last: str, limit: int) -> list[Phrase]:
        """Phrases that hold every word of `typed` and one that begins with `last`, shortest first."""
        numbers = self._starting(last) if last else None
        for word in typed:
            held = self._postings.get(word, ())
            numbers = set(held) if numbers is None else numbers.intersection(held)
        best = nlargest(limit, numbers or (), key=lambda at: (self.phrases[at].weight / (2 + self._totals[at]), -at))
        return [self.phrases[number] for number in best]

    def _starting(self, prefix: str) -> set[int]:
        found: set[int] = set()
        at = bisect_left(self._vocabulary, prefix)
        while at < len(self._vocabulary) and self._vocabulary[at].startswith(prefix) and len(found) < _COMPLETIONS:
            found.update(self._postings[self._vocabulary[at]])
            at += 1
        return found
