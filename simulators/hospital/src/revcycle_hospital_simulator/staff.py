"""The people of the hospital, played through REST: a coder, a biller, and whoever posts the bank's deposits.

What they do follows from what was planted in an encounter; they see an encounter only as the services show it.
"""

import asyncio
import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from revcycle_hospital_simulator.intake import send_file
from revcycle_hospital_simulator.planting import CodingCorrection, CoverageCorrection
from revcycle_hospital_simulator.rest import Api, Body, UnexpectedAnswerError
from revcycle_hospital_simulator.visits import service_parts

_HANDS: Final = 4
_DEPOSITS_PER_REQUEST: Final = 5000


@dataclass(slots=True)
class Coder:
    """Corrects the codings it was told to correct, once they lie on the worklist, and finalises them."""

    api: Api
    corrections: dict[str, CodingCorrection] = field(default_factory=dict)
    """By encounter id; done ones are taken out."""
    _begun: set[str] = field(default_factory=set)

    async def work(self, on_worklist: Collection[str]) -> None:
        """Correct what lies there now, and look again at what was begun."""
        ready = [each for each in self.corrections if each in on_worklist or each in self._begun]
        for start in range(0, len(ready), _HANDS):
            await asyncio.gather(*(self._correct(each) for each in ready[start : start + _HANDS]))

    async def _correct(self, encounter_id: str) -> None:
        path = f"/v1/codings/{encounter_id}/professional"
        correction = self.corrections[encounter_id]
        codes = {"diagnoses": list(correction.diagnoses), "services": service_parts(correction.services)}
        self._begun.add(encounter_id)
        coding = await self.api.call("coder", "coding", "GET", path)
        if coding.body["state"] == "open":
            put = await self.api.call("coder", "coding", "PUT", path, Body.of(codes), if_match=coding.etag, also=(412,))
            if put.status == 412:
                return  # Changed since it was read, perhaps by this very request, cut off: look again next time.
            finalised = await self.api.call("coder", "coding", "POST", f"{path}:finalise", also=(409,))
            if finalised.status == 409 and finalised.body.get("errors"):
                rules = sorted({str(each["rule"]) for each in finalised.body["errors"]})
                raise UnexpectedAnswerError(f"coding finds errors in corrected codes: {', '.join(rules)}")
            return
        del self.corrections[encounter_id]


@dataclass(slots=True)
class Biller:
    """Has a wrong coverage corrected once the payer's front end has rejected the claim, and sends the claim anew."""

    api: Api
    run: str
    corrections: dict[str, CoverageCorrection] = field(default_factory=dict)
    """By encounter id; done ones are taken out."""
    _corrected: set[str] = field(default_factory=set)

    async def work(self, rejected: Mapping[str, str]) -> None:
        """``rejected``: claim id by encounter id."""
        ready = [encounter_id for encounter_id in self.corrections if encounter_id in rejected]
        for encounter_id in ready:
            if encounter_id not in self._corrected:
                file = self.corrections[encounter_id].file
                await send_file(self.api, file, f"{self.run}-correct-{encounter_id}")
                self._corrected.add(encounter_id)
            await self._send_anew(encounter_id, rejected[encounter_id])

    async def _send_anew(self, encounter_id: str, claim_id: str) -> None:
        claim = await self.api.call("biller", "claims", "GET", f"/v1/claims/{claim_id}")
        if not claim.body["changed_since_submission"]:
            return
        sent = await self.api.call(
            "biller",
            "claims",
            "POST",
            f"/v1/claims/{claim_id}/submissions",
            Body.of({"frequency": "1"}),
            key=f"{self.run}-anew-{claim_id}",
            also=(409, 422),
        )
        if sent.status == 201:
            del self.corrections[encounter_id]


@dataclass(slots=True)
class Cashier:
    """Posts the bank's deposits as they appear in its list."""

    api: Api
    file: Path
    posted: int = 0
    """Rows of the list that were posted."""

    async def work(self) -> None:
        """Post what is new, in one request."""
        header, *rows = complete_lines(self.file) or [""]
        fresh = rows[self.posted : self.posted + _DEPOSITS_PER_REQUEST]
        if not fresh:
            return
        content = "".join(f"{line}\n" for line in (header, *fresh)).encode()
        key = f"deposits-{hashlib.sha256(content).hexdigest()}"
        answer = await self.api.call("biller", "claims", "POST", "/v1/deposits", Body(content, "text/csv"), key=key)
        refused = [each["deposit_id"] for each in answer.body["results"] if each["status"] == "refused"]
        if refused:
            raise UnexpectedAnswerError(f"claims refused deposits of the bank's list: {', '.join(refused[:5])}")
        self.posted += len(fresh)

    def waiting(self) -> int:
        """Rows of the list that are not posted yet."""
        return max(0, len(complete_lines(self.file)) - 1 - self.posted)


def complete_lines(file: Path) -> list[str]:
    """The lines of a file that somebody else appends to, without one that is still being written."""
    if not file.exists():
        return []
    text = file.read_text(encoding="utf-8")
    return text[: text.rfind("\n") + 1].splitlines()


def corrections_by_id(
    planted: Iterable[tuple[str | None, CodingCorrection | CoverageCorrection | None]], coder: Coder, biller: Biller
) -> None:
    """Hand out corrections: pairs of encounter id and what is to be corrected."""
    for encounter_id, correction in planted:
        if encounter_id is None:
            continue
        if isinstance(correction, CodingCorrection):
            coder.corrections[encounter_id] = correction
        elif isinstance(correction, CoverageCorrection):
            biller.corrections[encounter_id] = correction
