"""The edit engine: facts in, ordered findings out. The same inputs give the same bytes."""

from revcycle_codes.context import Context
from revcycle_codes.edit_tables import EditTables
from revcycle_codes.facts import EncounterFacts
from revcycle_codes.findings import RULES, Finding
from revcycle_codes.rules import (
    documentation,
    laterality,
    necessity,
    patient,
    peers,
    procedures,
    sequencing,
    surgery,
    validity,
)
from revcycle_codes.store import CodeSets
from revcycle_codes.switches import Switches

# Importing a module registers its rules; the catalogue's order is set here: form and validity, patient, diagnoses,
# lines, necessity, documentation, peers.
RULE_MODULES = (validity, patient, sequencing, laterality, procedures, surgery, necessity, documentation, peers)
_ORDER = {module.__name__: place for place, module in enumerate(RULE_MODULES)}
CATALOGUE = tuple(sorted(RULES.values(), key=lambda entry: _ORDER[entry.check.__module__]))
_NO_TABLES = EditTables()
_NO_SWITCHES = Switches()


def check_encounter(
    facts: EncounterFacts,
    code_sets: CodeSets,
    tables: EditTables = _NO_TABLES,
    switches: Switches = _NO_SWITCHES,
) -> list[Finding]:
    """Every finding about an encounter or claim, in catalogue order. No rule hides another's findings.

    `tables` are the imported edit tables (a rule without its table is silent), `switches` what an installation and its
    payers set. Nothing is read or written outside the arguments.
    """
    context = Context(facts, code_sets, tables, switches)
    return [finding for entry in CATALOGUE for finding in entry.check(context)]
