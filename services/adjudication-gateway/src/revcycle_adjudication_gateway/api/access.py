"""Who may do what."""

from typing import Annotated

from fastapi import Depends
from revcycle_service_kit import Caller, require

Operator = Annotated[Caller, Depends(require("operator"))]
"""Sets up and drains routes."""

Worker = Annotated[Caller, Depends(require("biller", "operator"))]
"""Decides, asks, drops files."""

Looker = Annotated[Caller, Depends(require("biller", "operator", "auditor"))]
"""Reads."""
