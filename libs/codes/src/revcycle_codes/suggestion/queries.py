"""Draft queries to the clinician for statements that may not be coded, and the lint that keeps them from leading."""

import re

from msgspec import Struct

_MONEY = re.compile(
    r"\b(pay(ment|er|s)?|reimburse\w*|revenue|severity|quality score|denial|denied claim|drg)\b", re.IGNORECASE
)
_LEADING = re.compile(
    r"\b(please (confirm|document that)|do you agree|isn't it|should be coded|we suggest)\b", re.IGNORECASE
)
OTHER, UNABLE = "another diagnosis (please name it)", "unable to determine"


class QueryDraft(Struct, frozen=True, kw_only=True):
    """A question about a statement of the note. `indicators` are the note's own words with their offsets."""

    question: str
    options: tuple[str, ...]
    indicators: tuple[tuple[int, int, str], ...]
    start: int
    end: int


def draft_query(text: str, start: int, end: int) -> QueryDraft:
    """A non-leading draft about an uncertain statement: it quotes the note and writes no diagnosis of its own."""
    statement = " ".join(text[start:end].split())
    return QueryDraft(
        question=f'The note states: "{statement}". What was the outcome of the evaluation at the end of this visit?',
        options=(
            "the condition was confirmed",
            "the condition was ruled out",
            "only the symptoms can be documented",
            OTHER,
            UNABLE,
        ),
        indicators=((start, end, statement),),
        start=start,
        end=end,
    )


def lint_query(query: QueryDraft) -> list[str]:
    """What a compliant query must not lack or say; empty when it passes.

    Rules: a cited indicator; no word of payment, severity, quality or denial; two supported options with "other" and
    "unable to determine"; a question that does not lead.
    """
    problems = []
    if not query.indicators or any(not words for _, _, words in query.indicators):
        problems.append("no clinical indicator of the note is cited")
    own = re.sub(r'"[^"]*"', "", query.question)
    if any(_MONEY.search(part) for part in (own, *query.options)):
        problems.append("payment, severity, quality or denial is mentioned")
    supported = [option for option in query.options if option not in (OTHER, UNABLE)]
    if len(supported) < 2 or OTHER not in query.options or UNABLE not in query.options:
        problems.append('two supported options, "other" and "unable to determine" are needed')
    if _LEADING.search(own) or "?" not in own:
        problems.append("the question leads, or is none")
    return problems
