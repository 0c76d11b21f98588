"""Checks without storing anything, and the code sets they are made with."""

import asyncio

from fastapi import APIRouter
from revcycle_codes import CodeSets

from revcycle_coding.api.models import CodeCheck, CodeCheckBody, ReleaseList, ReleaseView, finding_views
from revcycle_coding.domain.decision import PROFESSIONAL, Subject, check, errors, releases_on


def router(code_sets: CodeSets) -> APIRouter:
    """The routes over the code sets of this process."""
    routes = APIRouter(prefix="/v1", tags=["code sets"])
    releases = ReleaseList(
        fingerprint=code_sets.fingerprint, items=[ReleaseView.of(each) for each in code_sets.releases()]
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
        findings = await asyncio.to_thread(check, subject, code_sets)
        return CodeCheck(
            may_be_finalised=not errors(findings),
            findings=finding_views(findings),
            code_set_releases=releases_on(code_sets, body.date_of_service),
        )

    @routes.get("/code-set-releases", summary="The code-set releases this service decides with")
    async def list_releases() -> ReleaseList:
        """With content hash and the interval they are in force."""
        return releases

    return routes
