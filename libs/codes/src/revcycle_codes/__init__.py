"""Effective-dated code-set releases and the edit rules over them."""

from revcycle_codes.engine import check_encounter
from revcycle_codes.facts import (
    EncounterFacts,
    EvaluationFacts,
    FactsError,
    LineFacts,
    PatientFacts,
    Setting,
    facts_from_claim,
    facts_from_encounter_file,
    facts_from_record,
    facts_hash,
)
from revcycle_codes.findings import RULES, Finding, Reason, Rule, Severity, finding_as_dict, has_errors, reasons
from revcycle_codes.model import (
    CodesError,
    CodeSetRelease,
    CodeState,
    CodeSystem,
    LicenceClass,
    Resolution,
    procedure_system,
)
from revcycle_codes.seed import HCPCS_DEMO, DemoCode
from revcycle_codes.store import CodeSets

__all__ = [
    "HCPCS_DEMO",
    "RULES",
    "CodeSetRelease",
    "CodeSets",
    "CodeState",
    "CodeSystem",
    "CodesError",
    "DemoCode",
    "EncounterFacts",
    "EvaluationFacts",
    "FactsError",
    "Finding",
    "LicenceClass",
    "LineFacts",
    "PatientFacts",
    "Reason",
    "Resolution",
    "Rule",
    "Setting",
    "Severity",
    "check_encounter",
    "facts_from_claim",
    "facts_from_encounter_file",
    "facts_from_record",
    "facts_hash",
    "finding_as_dict",
    "has_errors",
    "procedure_system",
    "reasons",
]
