"""Promise: what archives say about order, causes and histories is judged by the checker without any database."""

from dataclasses import replace

import pytest
from revcycle_checker import invariants
from revcycle_checker.events import (
    ArchivedEvent,
    causes_belong_together,
    causes_exist,
    histories_are_paths,
    sequences_contiguous,
    topics_match_archives,
)
from revcycle_checker.topics import TopicRecord

CODED = ArchivedEvent(
    "coding", "t", "revcycle.codings.v1", "E", 1, "a", "id-coded", "EncounterCoded", "E", "command", ()
)
DRAFTED = ArchivedEvent(
    "claims", "t", "revcycle.claims.v1", "C", 1, "b", "id-drafted", "ClaimDrafted", "E", "id-coded", ()
)
SUBMITTED = replace(
    DRAFTED, sequence=2, event_id="id-submitted", kind="ClaimSubmitted", depends_on=("revcycle.codings.v1/E@1",)
)
PAID = replace(DRAFTED, sequence=3, event_id="id-paid", kind="PaymentPosted", causation_id="id-submitted")
CALM = [CODED, DRAFTED, SUBMITTED, PAID]


def judged(events: list[ArchivedEvent]) -> set[str]:
    found = causes_exist(events) + causes_belong_together(events) + histories_are_paths(events)
    return {finding.invariant for finding in found + sequences_contiguous(events)}


def test_a_calm_history_has_no_findings() -> None:
    assert judged(CALM) == set()


@pytest.mark.parametrize(
    ("events", "invariant"),
    [
        ([CODED, DRAFTED, SUBMITTED, replace(PAID, causation_id="nobody")], "E4"),
        ([CODED, DRAFTED, SUBMITTED, replace(PAID, causation_id="id-paid")], "E4"),
        ([CODED, DRAFTED, replace(SUBMITTED, depends_on=("revcycle.codings.v1/E@2",)), PAID], "E4"),
        ([CODED, replace(DRAFTED, correlation_id="F"), SUBMITTED, PAID], "E4"),
        ([replace(CODED, tenant_id="u"), DRAFTED, SUBMITTED, PAID], "A3"),
        ([CODED, DRAFTED, replace(SUBMITTED, kind="ClaimHeld"), PAID], "R4"),
        ([CODED, DRAFTED, PAID], "E3"),
        ([CODED, DRAFTED, SUBMITTED, replace(PAID, event_id="id-drafted")], "E3"),
    ],
)
def test_each_break_of_a_history_is_named(events: list[ArchivedEvent], invariant: str) -> None:
    assert invariant in judged(events)


def test_archives_and_topics_hold_the_same() -> None:
    on_topic = [TopicRecord(one.topic, one.tenant_id, one.key, one.sequence, one.sha256, None) for one in CALM]
    assert topics_match_archives(CALM, on_topic) == []
    assert [one.invariant for one in topics_match_archives(CALM, on_topic[:-1])] == ["E1"]
    assert [one.invariant for one in topics_match_archives(CALM[:-1], on_topic)] == ["E1"]


def test_every_listed_invariant_says_what_must_hold() -> None:
    listed = invariants()
    assert len({name for name, _ in listed}) >= 25
    assert all(len(sentence) > 20 for _, sentence in listed)
