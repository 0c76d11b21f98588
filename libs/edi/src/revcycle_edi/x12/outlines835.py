"""What claim payments of the 835 are written as (loops 2100 and 2110 of 005010X221A1)."""

from functools import cache

from revcycle_edi.x12.outlines import (
    Element,
    Node,
    Outline,
    absent,
    adjustments,
    cents,
    code,
    day,
    each,
    parts,
    quantity,
    segment,
    together,
    unless,
    when,
    when_any,
    when_sent,
)
from revcycle_edi.x12.outlines837 import RAW, amounts, named, reference, references
from revcycle_edi.x12.records.remittance import RemittanceClaim


def _sent(path: str) -> Node:
    return when_sent(path, quantity(path))


def _name(entity: Element, at: str) -> Node:
    return named(entity, f"{at}.", code(f"{at}.id_qualifier", RAW), f"{at}.id")


def _date(qualifier: str, path: str) -> Node:
    return when(path, segment("DTM", qualifier, day(path)))


def _remarks(qualifier: str, path: str) -> Node:
    return each(path, segment("LQ", qualifier, code("", 30, required=True)))


_QUANTITIES = each("quantities", segment("QTY", code("qualifier", 2, required=True), quantity("quantity")))
_LINE = together(
    absent("description", "extra_segments"),
    segment(
        "SVC",
        parts(
            code("procedure_qualifier", RAW), code("procedure_code", 48), each("modifiers", code("", 2), between=":")
        ),
        cents("charge_cents"),
        cents("paid_cents"),
        code("revenue_code", 48),
        _sent("units_paid"),
        parts(each("submitted", code("", 80), between=":")),
        _sent("submitted_units"),
    ),
    when(
        "service_from",
        when("service_to", segment("DTM", "150", day("service_from")), segment("DTM", "151", day("service_to"))),
        unless("service_to", segment("DTM", "472", day("service_from"))),
    ),
    adjustments("adjustments"),
    reference("6R", "control_number"),
    references("references"),
    amounts("amounts"),
    when_any(
        ("quantities", "remark_codes", "drug_remark_codes"),
        _QUANTITIES,
        _remarks("HE", "remark_codes"),
        _remarks("RX", "drug_remark_codes"),
    ),
)
_CLAIM = together(
    absent("inpatient_remarks", "outpatient_remarks", "contacts", "extra_segments"),
    segment(
        "CLP",
        code("claim_id", 38, required=True),
        code("status_code", 2, required=True),
        cents("charge_cents"),
        cents("paid_cents"),
        when_sent("patient_responsibility_cents", cents("patient_responsibility_cents")),
        code("filing_code", 2),
        code("payer_claim_control_number", 50),
        code("facility_code", 2),
        code("frequency_code", 1),
        "",
        code("drg_code", 4),
        _sent("drg_weight"),
        _sent("discharge_fraction"),
    ),
    adjustments("adjustments"),
    when("patient", _name("QC", "patient")),
    when("insured", _name("IL", "insured")),
    each("names", _name(code("0", 3, required=True), "1")),
    references("references"),
    _date("232", "statement_from"),
    _date("233", "statement_to"),
    _date("050", "received_date"),
    when_any(
        ("dates", "amounts", "quantities"),
        each("dates", segment("DTM", code("qualifier", 3, required=True), day("start"))),
        amounts("amounts"),
        _QUANTITIES,
    ),
    each("lines", _LINE),
)


@cache
def claim_payment() -> Outline:
    """Loop 2100 with its lines, made when one is first written: reading needs none."""
    return Outline(RemittanceClaim, _CLAIM)
