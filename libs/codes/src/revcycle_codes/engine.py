"""The edit engine: facts in, ordered findings out. The same inputs give the same bytes."""

from revcycle_codes.context import Context
from revcycle_codes.facts import EncounterFacts
from revcycle_codes.findings import RULES, Finding
from revcycle_codes.rules import diagnosis, validity
from revcycle_codes.store import CodeSets

RULE_MODULES = (validity, diagnosis)


def check_encounter(facts: EncounterFacts, code_sets: CodeSets) -> list[Finding]:
    """Every finding about an encounter or claim, in catalogue order. No rule hides another's findings."""
    context = Context(facts, code_sets)
    return [finding for entry in RULES.values() for finding in entry.check(context)]
