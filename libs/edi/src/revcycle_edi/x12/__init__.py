"""X12 5010: readers, writers, typed records, balancing and validation of the healthcare transactions."""

from revcycle_edi.x12.ack_build import build_277ca, build_999, build_ta1
from revcycle_edi.x12.acknowledge import Answers, acknowledge
from revcycle_edi.x12.balance import BalanceEquation, balance_835, balance_835_claim, balance_837, unbalanced
from revcycle_edi.x12.errors import X12Error
from revcycle_edi.x12.explain import explain
from revcycle_edi.x12.findings import Finding
from revcycle_edi.x12.interchanges import GroupSummary, InterchangeSummary, TransactionSummary, inspect_interchanges
from revcycle_edi.x12.jsondoc import from_json, to_json
from revcycle_edi.x12.reader import Limits, SegmentReader, emit, emit_stream, parse_document
from revcycle_edi.x12.split import merge_837, split_837
from revcycle_edi.x12.t270 import build_270, build_271, parse_270, parse_271
from revcycle_edi.x12.t275 import build_275, build_277rfai, parse_275, parse_277rfai
from revcycle_edi.x12.t276 import build_276, parse_276
from revcycle_edi.x12.t277 import build_277, parse_277
from revcycle_edi.x12.t277ca import parse_277ca
from revcycle_edi.x12.t278 import build_278, parse_278
from revcycle_edi.x12.t835 import iter_835_claims, iter_835_unbalanced, parse_835
from revcycle_edi.x12.t835_build import build_835
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
    "Answers",
    "BalanceEquation",
    "Finding",
    "GroupSummary",
    "InterchangeSummary",
    "Limits",
    "SegmentReader",
    "TransactionSummary",
    "ValidationContext",
    "X12Error",
    "acknowledge",
    "balance_835",
    "balance_835_claim",
    "balance_837",
    "build_270",
    "build_271",
    "build_275",
    "build_276",
    "build_277",
    "build_277ca",
    "build_277rfai",
    "build_278",
    "build_835",
    "build_837d",
    "build_837i",
    "build_837p",
    "build_999",
    "build_ta1",
    "emit",
    "emit_stream",
    "explain",
    "from_json",
    "inspect_interchanges",
    "iter_835_claims",
    "iter_835_unbalanced",
    "iter_837d_claims",
    "iter_837i_claims",
    "iter_837p_claims",
    "merge_837",
    "parse_270",
    "parse_271",
    "parse_275",
    "parse_276",
    "parse_277",
    "parse_277ca",
    "parse_277rfai",
    "parse_278",
    "parse_835",
    "parse_837d",
    "parse_837i",
    "parse_837p",
    "parse_999",
    "parse_document",
    "parse_ta1",
    "split_837",
    "to_json",
    "unbalanced",
    "validate",
]
