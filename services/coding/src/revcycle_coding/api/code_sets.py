"""Checks without storing anything, and the code sets they are made with."""

import asyncio

from fastapi import APIRouter

from revcycle_coding.api.models import CodeCheck, CodeCheckBody, EditTableView, ReleaseList, ReleaseView, finding_views
from revcycle_coding.domain.decision import PROFESSIONAL, Subject, check, errors
from revcycle_coding.domain.rulebook import Rulebook


def router(rulebook: Rulebook) -> APIRouter:
    """The routes over the code sets and edit tables of this process."""
    routes = APIRouter(prefix="/v1", tags=["code sets"])
    releases = ReleaseList(
        fingerprint=rulebook.code_sets.fingerprint,
        items=[ReleaseView.of(each) for each in rulebook.code_sets.releases()],
        edit_tables=[EditTableView.of(each) for each in rulebook.tables.specs],
    )

    @routes.post("/code-checks", summary="Check codes for a date of service")
    async def check_codes(body: CodeCheckBody) -> CodeCheck:
        """The same checks the policy and the coder's screen make, on a document taken as signed."""
        subject = Subject(
            billing_side=PROFESSIONAL,
            date_of_service=body.date_of_service,
            place_of_service=body.place_of_service,
            signed=True,
            diagnoses=tuple(body.diagnoses),
            services=tuple(each.service() for each in body.services),
        )
        findings = await asyncio.to_thread(check, subject, rulebook)
        return CodeCheck(
            may_be_finalised=not errors(findings),
            findings=finding_views(findings),
            code_set_releases=rulebook.releases_on(body.date_of_service),
            edit_tables=rulebook.tables_on(body.date_of_service),
        )

    @routes.get("/code-set-releases", summary="The code-set releases this service decides with")
    async def list_releases() -> ReleaseList:
        """With content hash and the interval they are in force; and the edit tables that were imported beside them."""
        return releases

    return routes
