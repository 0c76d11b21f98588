"""Who may do what: coders code; operators and auditors may look."""

from typing import Annotated

from fastapi import Depends
from revcycle_service_kit import Caller, require

Coder = Annotated[Caller, Depends(require("coder"))]
Reader = Annotated[Caller, Depends(require("coder", "operator", "auditor"))]
Checker = Annotated[Caller, Depends(require("coder", "operator", "auditor", "biller", "integration"))]
