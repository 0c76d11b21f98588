"""Who may do what: integration systems write, everybody who works on claims reads."""

from typing import Annotated

from fastapi import Depends
from revcycle_service_kit import Caller, require

Integration = Annotated[Caller, Depends(require("integration"))]
Keeper = Annotated[Caller, Depends(require("integration", "operator"))]
Reader = Annotated[Caller, Depends(require("integration", "coder", "biller", "operator", "auditor"))]
NoteReader = Annotated[Caller, Depends(require("integration", "coder", "auditor"))]
