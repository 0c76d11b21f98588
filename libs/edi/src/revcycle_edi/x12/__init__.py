"""X12 5010: readers, writers, typed records, balancing and validation of the healthcare transactions."""

from revcycle_edi.x12.balance import BalanceEquation, balance_835, balance_835_claim, balance_837, unbalanced
from revcycle_edi.x12.errors import X12Error
from revcycle_edi.x12.findings import Finding
from revcycle_edi.x12.interchanges import GroupSummary, InterchangeSummary, TransactionSummary, inspect_interchanges
from revcycle_edi.x12.reader import Limits, SegmentReader, emit, emit_stream, parse_document
from revcycle_edi.x12.t276 import build_276, parse_276
from revcycle_edi.x12.t277 import parse_277
from revcycle_edi.x12.t277ca import parse_277ca
from revcycle_edi.x12.t835 import iter_835_claims, parse_835
from revcycle_edi.x12.t837_build import build_837d, build_837i, build_837p
from revcycle_edi.x12.t837_parse import (
    iter_837d_claims,
    iter_837i_claims,
    iter_837p_claims,
    parse_837d,
    parse_837i,
    parse_837p,
)
from revcycle_edi.x12.t999 import parse_999
from revcycle_edi.x12.ta1 import parse_ta1
from revcycle_edi.x12.validation.context import ValidationContext
from revcycle_edi.x12.validation.run import validate

__all__ = [
    "BalanceEquation",
    "Finding",
    "GroupSummary",
    "InterchangeSummary",
    "Limits",
    "SegmentReader",
    "TransactionSummary",
    "ValidationContext",
    "X12Error",
    "balance_835",
    "balance_835_claim",
    "balance_837",
    "build_276",
    "build_837d",
    "build_837i",
    "build_837p",
    "emit",
    "emit_stream",
    "inspect_interchanges",
    "iter_835_claims",
    "iter_837d_claims",
    "iter_837i_claims",
    "iter_837p_claims",
    "parse_276",
    "parse_277",
    "parse_277ca",
    "parse_835",
    "parse_837d",
    "parse_837i",
    "parse_837p",
    "parse_999",
    "parse_document",
    "parse_ta1",
    "unbalanced",
    "validate",
]
