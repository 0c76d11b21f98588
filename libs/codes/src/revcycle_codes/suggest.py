"""The suggester: a note in, candidate ICD-10-CM codes out, each with the words that speak for it. No model, no network.

Problem headings of the assessment are the main queries; complaint, history and plan add candidates of lower weight.
Negated, family, historical and uncertain statements never yield a code; uncertain ones may yield a draft query.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import lru_cache

from msgspec import Struct

from revcycle_codes.loaders.icd import IndexEntry
from revcycle_codes.model import CodesError, CodeSystem, display
from revcycle_codes.seed import bundled_tabular
from revcycle_codes.store import CodeSets
from revcycle_codes.suggestion.aliases import ALIASES
from revcycle_codes.suggestion.assertions import (
    Assertion,
    assertion,
    certain_part,
    clauses,
    is_screening,
    is_status,
    is_uncertain,
    taken_back,
)
from revcycle_codes.suggestion.external import external_causes
from revcycle_codes.suggestion.measured import body_mass_code, gestation, of_pregnancy, trimester, week_code
from revcycle_codes.suggestion.notes import Problem, Section, SectionKind, heading_parts, problems, sections
from revcycle_codes.suggestion.phrases import Phrase, PhraseIndex, alias_phrases, tabular_phrases
from revcycle_codes.suggestion.queries import QueryDraft, draft_query, lint_query
from revcycle_codes.suggestion.refine import combine, explained_symptoms, less_exact, refine
from revcycle_codes.suggestion.terms import LIGHT, joined, spans, word_set, words
from revcycle_codes.table import CodeTable

MAX_SUGGESTIONS = 20
MAX_NOTE_CHARACTERS = 1 << 20
HIGHLIGHT_SCORE = 0.62
_PER_PROBLEM = 6
_RANK_DECAY = 0.8
_WHOLE_HEADING = 0.9
_GOOD_PART = 0.75
_PROSE_SCORE = 0.65
_EXTERNAL_SCORE = 0.5
_PLAIN_SCORE = 0.6
_INDEX = "alphabetic index"
_INDEX_WEIGHT = 0.93
_MALIGNANT = frozenset(words("malignant neoplasm"))
_STATED = re.compile(r"\b[A-TV-Z]\d[0-9A-Z]\.[0-9A-Z]{1,4}\b|(?<=\()[A-TV-Z]\d[0-9A-Z](?=\))")
_COVERAGE, _MORE_THAN_HALF = 0.7, 0.6
_NARRATIVE = {
    SectionKind.ASSESSMENT: 0.55,
    SectionKind.PLAN: 0.55,
    SectionKind.COMPLAINT: 0.5,
    SectionKind.HISTORY: 0.42,
    SectionKind.PAST: 0.3,
}
_ASSESSED = (SectionKind.ASSESSMENT, SectionKind.PLAN)
_BODY_CHARACTERS, _TAIL_CHARACTERS = 600, 60
_BESIDE = ("N18", "L97")  # stages and ulcers stand beside the combination code of their cause
_STATUS_NAMES = ("status post", "history of")
_DONE = re.compile(r"\b(after|following|since|out from|recover\w+ from)\b", re.IGNORECASE)
_SEPARATED = re.compile(r"[,;]|\band\b")
_AFTER_SURGERY = "Z98890"
# Personal history, absence, transplant, implant and status; family history (Z80 to Z84) is never suggested.
_PERSONAL_HISTORY = ("Z85", "Z86", "Z87", *(f"Z{number}" for number in range(89, 100)), "I252")
_SCREENINGS = ("Z00", "Z01", "Z11", "Z12", "Z13")
_FAMILY_HISTORY = ("Z80", "Z81", "Z82", "Z83", "Z84")
_WITHOUT = re.compile(r"\bwithout\b|\bw/o\b", re.IGNORECASE)
_SURGERY = re.compile(
    r"(ectomy|otomy|ostomy|plasty|rrhaphy)\b|\b(repair|surgery|replacement|reconstruction|release|fusion|excision|removal"
    r"|arthroscopy|fixation|orif|reduction|graft|implant)\b",
    re.IGNORECASE,
)


class Suggestion(Struct, frozen=True, kw_only=True):
    """A candidate code. `start` and `end` are the evidence's characters in the note, `path` how the code was found,
    `rules` what turned the phrase's code into this one; `highlight` marks the ones to show first.
    """

    code: str
    score: float
    highlight: bool
    start: int
    end: int
    path: tuple[str, ...]
    rules: tuple[str, ...]
    description: str
    release: str


class SuggestionResult(Struct, frozen=True, kw_only=True):
    """Suggestions, best first (at most twenty), and draft queries."""

    suggestions: tuple[Suggestion, ...]
    queries: tuple[QueryDraft, ...]


class _Candidate(Struct):
    key: str
    score: float
    span: tuple[int, int]
    path: tuple[str, ...]
    rules: tuple[str, ...]
    leading: bool = False
    prose: bool = False


class Suggester:
    """An index over one ICD-10-CM release. Building it takes a second or two; then it serves many notes."""

    def __init__(self, table: CodeTable, phrases: Sequence[Phrase], priors: Mapping[str, int] | None = None) -> None:
        """`priors` are counts of codes accepted at the site (display form); they order what the words leave equal."""
        self._table = table
        self._index = PhraseIndex(phrases)
        for phrase in sorted(self._index.phrases, key=lambda one: -one.weight):
            if phrase.path[0] == "abbreviation":  # in running text a name of a test as often as of a condition
                continue
            if phrase.path[0] != _INDEX:
                self._index.add_exact(phrase, phrase.path[-1])
            elif len(phrase.stems - LIGHT) > 1:  # a single index word ("education") says too little in running text
                self._index.add_exact(phrase, " ".join(phrase.path[1:]))
        total = sum((priors or {}).values())
        self._priors = {code.replace(".", ""): count / total for code, count in (priors or {}).items()}
        self._search = lru_cache(maxsize=4096)(self._index.search)

    @classmethod
    def open(
        cls,
        code_sets: CodeSets,
        day: date | None = None,
        *,
        index_entries: Sequence[IndexEntry] = (),
        priors: Mapping[str, int] | None = None,
    ) -> "Suggester":
        """A suggester for a date of service (None: the newest release). Phrases come from the bundled tabular list, the
        names in use written here and, when given, the entries of an imported Alphabetic Index; codes that are not in
        the release of the day are left out. Raises CodesError when no release covers the day.
        """
        releases = code_sets.releases(CodeSystem.ICD10CM)
        if not releases:
            raise CodesError("no ICD-10-CM release is loaded")
        release = code_sets.release_on(CodeSystem.ICD10CM, day) if day else releases[-1]
        if release is None:
            raise CodesError(f"no ICD-10-CM release for {day} is loaded; import it with `revcycle codes import`")
        table = code_sets.table(CodeSystem.ICD10CM, release.release)
        phrases = [*alias_phrases(ALIASES), *_index_phrases(index_entries), *tabular_phrases(bundled_tabular().nodes)]
        known = [phrase for phrase in phrases if phrase.code in table and not phrase.code.startswith(_FAMILY_HISTORY)]
        return cls(table, known, priors)

    def suggest(self, text: str) -> SuggestionResult:
        """Candidates for a note. Raises CodesError for a note above 1 MiB of characters."""
        if len(text) > MAX_NOTE_CHARACTERS:
            raise CodesError(f"note of {len(text):,} characters; at most {MAX_NOTE_CHARACTERS:,} are read")
        original, text = text, joined(text)
        parts = sections(text)
        queries: list[QueryDraft] = []
        found: list[_Candidate] = []
        surroundings = " ".join(
            text[part.start : part.end] for part in parts if part.kind in (SectionKind.COMPLAINT, SectionKind.HISTORY)
        )
        for place, part in enumerate(parts):
            if part.kind in _ASSESSED:
                found.extend(self._stated_codes(text, part))
                for problem in _with_plan(problems(text, part), parts[place + 1 : place + 2]):
                    found.extend(self._from_problem(text, problem, surroundings, original, queries))
            if part.kind in _NARRATIVE:
                found.extend(self._from_narrative(text, part))
        if not any(map(_leads, found)):
            _promote_prose(found, parts)
        self._take_sites(found)
        leading = {one.key for one in found if _leads(one)}
        if of_pregnancy(leading) and (named := gestation(text)):
            weeks, span = named
            found = [self._in_trimester(one, trimester(weeks)) for one in found]
            path = ("week of gestation",)
            found.append(_Candidate(week_code(weeks), _PROSE_SCORE, span, path, ("measured",), True))
        if index := body_mass_code(text, leading):
            found.append(_Candidate(index[0], _EXTERNAL_SCORE, index[1], ("body mass index",), ("measured",)))
        if any(one.leading and one.key[0] in "ST" for one in found):
            found.extend(self._external_causes(text, parts))
        return SuggestionResult(suggestions=tuple(self._ranked(found)), queries=tuple(queries))

    def search(self, typed: str, limit: int) -> list[tuple[str, str]]:
        """Codes for a search field while it is typed into: code and phrase, the shortest phrases first."""
        whole, _, last = joined(typed).lower().rpartition(" ")
        found: dict[str, str] = {}
        for phrase in self._index.complete(words(whole), last.strip(), 4 * limit):
            found.setdefault(display(CodeSystem.ICD10CM, phrase.code), phrase.path[-1])
        return list(found.items())[:limit]

    def _from_problem(
        self, text: str, problem: Problem, surroundings: str, original: str, queries: list[QueryDraft]
    ) -> Iterator[_Candidate]:
        heading = text[problem.start : problem.end]
        following = text[problem.end : problem.end + _TAIL_CHARACTERS]
        certain = 0 if taken_back(following) else len(heading) if is_screening(heading) else certain_part(heading)
        if certain < len(heading) and is_uncertain(heading + following.partition("\n")[0]):
            draft = draft_query(original, problem.start, problem.end)
            if not lint_query(draft):
                queries.append(draft)
        if (whole := self._named_without(heading, certain)) is not None:
            certain = whole
        end = problem.start + len(heading[:certain].rstrip(" ,;-("))
        body = text[problem.end : min(problem.body_end, problem.end + _BODY_CHARACTERS)]
        for span in self._queries(text, problem.start, end, body):
            for one in self._candidates(text, span, body, (heading, body, surroundings)):
                # What is left of an uncertain heading counts when it names something by itself ("dyspnea, likely …").
                if certain == len(heading) or (one.leading and one.score >= HIGHLIGHT_SCORE):
                    yield one

    def _named_without(self, heading: str, certain: int) -> int | None:
        """The length of a heading whose "without" belongs to a name: "migraine without aura"."""
        if not 0 < certain < len(heading) or not _WITHOUT.match(heading[certain:]):
            return None
        found = self._search(tuple(words(heading)), frozenset(), 1)
        if found and found[0].coverage >= _COVERAGE and _WITHOUT.search(" ".join(found[0].phrase.path)):
            return len(heading)
        return None

    def _take_sites(self, found: list[_Candidate]) -> None:
        """A leading name without its site or side takes the one that the rest of the note gives it, if only one."""
        sited: dict[tuple[str, ...], set[str]] = {}
        for one in found:
            if "unspecified" not in self._table.rows(one.key)[0].description.lower():
                sited.setdefault(one.path, set()).add(one.key)
        for one in found:
            codes = sited.get(one.path, set())
            if _leads(one) and len(codes) == 1 and one.key not in codes:
                one.key, one.rules = min(codes), (*one.rules, "said-elsewhere")

    def _in_trimester(self, one: _Candidate, name: str) -> _Candidate:
        """A pregnancy's code without its trimester gets the one of this name."""
        [row, *_] = self._table.rows(one.key)
        if "unspecified trimester" not in row.description:
            return one
        wanted = row.description.replace("unspecified trimester", f"{name} trimester")
        for sibling in self._table.under(one.key[:5]):
            if sibling.billable and sibling.description == wanted:
                return _Candidate(sibling.code, one.score, one.span, one.path, (*one.rules, "trimester"), one.leading)
        return one

    def _stated_codes(self, text: str, part: Section) -> Iterator[_Candidate]:
        """Codes that the note itself gives beside its words: "Hypertension (I10)"."""
        for match in _STATED.finditer(text, part.start, part.end):
            key = match[0].replace(".", "")
            clause = next(clauses(text, max(part.start, match.start() - 80), match.end()), None)
            rows = self._table.rows(key)
            if rows and rows[0].billable and clause is not None and key[0] not in "VWXY":
                line = text.rfind("\n", part.start, match.start()) + 1 or part.start
                if certain_part(text[line : match.start()]) == match.start() - line:
                    yield _Candidate(key, 1.0, match.span(), ("code in the note", match[0]), ("stated-code",), True)

    def _external_causes(self, text: str, parts: Sequence[Section]) -> Iterator[_Candidate]:
        told = (SectionKind.COMPLAINT, SectionKind.HISTORY, *_ASSESSED)
        for part in parts:
            if part.kind in told:
                for key, span, kind in external_causes(text, part.start, part.end):
                    for row in self._table.rows(key):
                        path = ("external cause", kind, text[slice(*span)])
                        yield _Candidate(row.code, _EXTERNAL_SCORE, span, path, ("external-cause",))

    def _queries(self, text: str, start: int, end: int, body: str) -> list[tuple[int, int]]:
        """The heading as a whole, or its parts when each of them names something better."""
        whole, parts = (start, end), heading_parts(text, start, end)
        if parts in ([], [whole]) or is_status(text[start:end]) or is_screening(text[start:end]):
            return [whole]
        around = word_set(body)
        scores = [self._top(text[one:other], around) for one, other in [whole, *parts]]
        good = [part for part, score in zip(parts, scores[1:], strict=True) if score >= _GOOD_PART]
        if good and any(is_status(text[slice(*part)]) for part in parts[1:]):
            return good  # "CAD s/p CABG": a condition and what was done
        if scores[0] >= _WHOLE_HEADING or not good or max(scores[1:]) <= scores[0]:
            return [whole]
        return [whole] if scores[0] >= _GOOD_PART and self._joins(text, whole, good) else good

    def _top(self, heading: str, around: frozenset[str]) -> float:
        found = self._search(tuple(words(heading)), around, _PER_PROBLEM)
        return found[0].score if found else 0.0

    def _joins(self, text: str, whole: tuple[int, int], parts: Sequence[tuple[int, int]]) -> bool:
        """Whether the best phrase for a heading takes telling words of their own from several of its parts."""
        asked = [tuple(words(text[slice(*part)])) for part in (whole, *parts)]
        best, *others = [self._search(one, frozenset(), 1) for one in asked]
        if not best or any(found and found[0].phrase.code.startswith(_BESIDE) for found in others):
            return False
        stems = best[0].phrase.stems - LIGHT
        said = [stems.intersection(one) for one in asked[1:]]
        own = [one.difference(*(other for other in said if other is not one)) for one in said]
        return sum(map(bool, own)) > 1

    def _candidates(
        self, text: str, span: tuple[int, int], body: str, around: tuple[str, str, str]
    ) -> Iterator[_Candidate]:
        """`around`: the whole heading, what is said of it, complaint and history; they decide side and kind."""
        heading = text[slice(*span)]
        status = is_status(heading)
        only = _PERSONAL_HISTORY if status else _SCREENINGS if is_screening(heading) else ""
        seen: set[str] = set()
        rank = 0
        for match in self._search(tuple(words(heading)), word_set(body), _PER_PROBLEM):
            if only and (match.coverage < _COVERAGE or not match.phrase.code.startswith(only)):
                continue
            for key, rules in refine(self._table, match.phrase.code, (heading, *around)):
                if key not in seen:
                    seen.add(key)
                    score = match.score * _RANK_DECAY**rank
                    named = match.coverage >= _COVERAGE or (
                        match.score >= _GOOD_PART and match.coverage >= _MORE_THAN_HALF
                    )
                    yield _Candidate(key, score, span, match.phrase.path, rules, rank == 0 and named)
            rank += 1
        if status and _SURGERY.search(heading) and not any(key.startswith("Z") for key in seen):
            yield _Candidate(_AFTER_SURGERY, _PROSE_SCORE, span, ("status", heading), ("surgery-status",), leading=True)

    def _from_narrative(self, text: str, part: Section) -> Iterator[_Candidate]:
        """Phrases that stand word by word in a clause and are meant as present."""
        weight = _NARRATIVE[part.kind]
        for clause in clauses(text, part.start, part.end):
            for phrase, span in self._exact(text, clause):
                # A surgery in running text is as often planned as done.
                if phrase.path[-1].startswith(_STATUS_NAMES) and not _DONE.search(text[clause[0] : span[0]]):
                    continue
                if assertion(text, clause, span) is Assertion.PRESENT:
                    around = text[max(part.start, span[0] - 60) : span[1] + 60]
                    for key, rules in refine(self._table, phrase.code, (_segment(text, clause, span), around)):
                        yield _Candidate(key, weight, span, phrase.path, rules, prose=True)

    def _exact(self, text: str, clause: tuple[int, int]) -> Iterator[tuple[Phrase, tuple[int, int]]]:
        """Longest known phrases of a clause, left to right."""
        tokens = spans(text, *clause)
        at = 0
        while at < len(tokens):
            for size in range(min(self._index.longest, len(tokens) - at, 6), 0, -1):
                phrase = self._index.exact.get(tuple(sorted(token for token, _, _ in tokens[at : at + size])))
                if phrase is not None:
                    yield phrase, (tokens[at][1], tokens[at + size - 1][2])
                    at += size - 1
                    break
            at += 1

    def _ranked(self, found: list[_Candidate]) -> Iterator[Suggestion]:
        best: dict[str, _Candidate] = {}
        for one in found:
            known = best.get(one.key)
            if known is None or (one.leading, one.score) > (known.leading, known.score):
                best[one.key] = one
        leading = [key for key, one in best.items() if one.leading and one.score >= HIGHLIGHT_SCORE]
        joint = combine(leading)
        for key, (instead, rule) in joint.items():
            one = best.pop(key)
            # The plain code stays in the list, below: the link is presumed, not stated.
            best[key] = _Candidate(key, _PLAIN_SCORE, one.span, one.path, one.rules)
            one.key, one.rules = instead, (*one.rules, rule)
            best[instead] = one
        shown = [*leading, *(instead for instead, _ in joint.values())]
        explained = explained_symptoms(shown)
        explained |= less_exact(shown, {key: self._table.rows(key)[0].description for key in shown})
        ordered = sorted(
            best.values(),
            key=lambda one: (-(one.score + 0.2 * one.leading + 0.05 * self._priors.get(one.key, 0)), one.span, one.key),
        )
        for one in ordered[:MAX_SUGGESTIONS]:
            yield self._suggestion(one, one.key in explained)

    def _suggestion(self, one: _Candidate, explained: bool) -> Suggestion:
        [row, *_] = self._table.rows(one.key)
        return Suggestion(
            code=display(CodeSystem.ICD10CM, one.key),
            score=round(min(one.score, 1.0), 4),
            highlight=one.leading and one.score >= HIGHLIGHT_SCORE and not explained,
            start=one.span[0],
            end=one.span[1],
            path=one.path,
            rules=(*one.rules, "symptom-explained") if explained else one.rules,
            description=row.description,
            release=self._table.release.release,
        )


def _segment(text: str, clause: tuple[int, int], span: tuple[int, int]) -> str:
    """The words of a clause around a phrase, from the comma or "and" before it to the one after it."""
    before = _SEPARATED.split(text[clause[0] : span[0]])[-1]
    return before + text[slice(*span)] + _SEPARATED.split(text[span[1] : clause[1]], maxsplit=1)[0]


def _leads(one: _Candidate) -> bool:
    return one.leading and one.score >= HIGHLIGHT_SCORE


def _with_plan(found: list[Problem], following: Sequence[Section]) -> list[Problem]:
    """A single problem is also what the plan in the next section, if there is one, is about."""
    if len(found) != 1 or not any(section.kind in _ASSESSED for section in following):
        return found
    return [Problem(found[0].start, found[0].end, following[0].end)]


def _promote_prose(found: list[_Candidate], parts: list[Section]) -> None:
    """An assessment in prose has no headings: what it states as present leads then; without any assessment, what the
    history states does.
    """
    kinds = _ASSESSED if any(part.kind in _ASSESSED for part in parts) else (SectionKind.HISTORY,)
    stated = [
        one
        for one in found
        if one.prose
        and any(part.kind in kinds and part.start <= one.span[0] < part.end for part in parts)
        and (one.path[0] == "name in use" or len(words(one.path[-1])) > 1)
    ]
    diagnosed = any(one.key[0] not in "RZ" for one in stated)
    for one in stated:
        if one.key[0] != "R" or not diagnosed:  # beside a diagnosis, prose names symptoms to describe it
            one.leading, one.score = True, max(one.score, _PROSE_SCORE)


def _index_phrases(entries: Sequence[IndexEntry]) -> Iterator[Phrase]:
    for entry in entries:
        # The neoplasm table's first column is the malignant primary; the drug table's columns are no diagnoses.
        neoplasm = len(entry.codes) > 1 and entry.path[0].startswith("Neoplasm")
        code = entry.codes[0].replace(".", "").rstrip("-") if len(entry.codes) == 1 or neoplasm else ""
        if code:
            stems = frozenset(word for term in entry.path for word in words(term.split(",")[0]))
            stems |= _MALIGNANT if neoplasm else frozenset()
            yield Phrase(code, (_INDEX, *entry.path), stems, _INDEX_WEIGHT)


def suggestion_record(note_id: str, result: SuggestionResult) -> dict[str, object]:
    """A result as the line of an output file."""
    return {
        "id": note_id,
        "suggestions": [
            {
                "code": one.code,
                "score": one.score,
                "highlight": one.highlight,
                "start": one.start,
                "end": one.end,
                "path": list(one.path),
                "rules": list(one.rules),
            }
            for one in result.suggestions
        ],
    }
