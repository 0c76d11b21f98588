"""Reads databases, topics and the payer's raw log; knows the invariants; imports no service and no codec of ours."""

from revcycle_checker.catalogue import invariants
from revcycle_checker.report import Finding, Mismatch, OutcomeRow, Report
from revcycle_checker.run import CheckInputs, run_check

__all__ = ["CheckInputs", "Finding", "Mismatch", "OutcomeRow", "Report", "invariants", "run_check"]
