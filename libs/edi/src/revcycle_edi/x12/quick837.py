"""837 claims, subscribers and patients of the usual shape, read by templates (see templates).

What stands before the diagnoses is one template of a claim, the diagnoses another, the providers and other payers a
third. Levels are read with one pattern each.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

from msgspec.structs import replace

from revcycle_edi.x12.cursor import Cursor
from revcycle_edi.x12.errors import X12Error
from revcycle_edi.x12.memo import Memo, UnusualShapeError
from revcycle_edi.x12.records.claim import (
    BillingProvider,
    InstitutionalClaim,
    InstitutionalLine,
    Patient,
    Payer,
    ProfessionalClaim,
    ProfessionalLine,
    Subscriber,
)
from revcycle_edi.x12.records.common import Address
from revcycle_edi.x12.t837_loops import Context, read_subscriber
from revcycle_edi.x12.templates import Lines, changes, loop_ends, read_whole
from revcycle_edi.x12.values import parse_cents, read_date

_C = TypeVar("_C", bound=ProfessionalClaim | InstitutionalClaim)
_L = TypeVar("_L", bound=ProfessionalLine | InstitutionalLine)
_ENDS = re.compile(r"~(?=(?:HL|CLM|SE)\*)")
_WHO = r"(?:~N3\*([^*~]*)~N4\*([^~]*))?(?:~DMG\*D8\*([^*~]+)\*([^*~]*))?"
_SUBSCRIBER = re.compile(
    rf"HL\*[^*~]*\*[^*~]*\*22\*[^~]*~SBR\*([^~]*)~NM1\*IL\*([^~]*){_WHO}(~NM1\*PR\*[^~]*(?:~(?:N3|N4|REF)\*[^~]*)*)"
)
_PATIENT = re.compile(rf"HL\*[^*~]*\*[^*~]*\*23\*[^~]*~PAT\*([^*~]*)~NM1\*QC\*([^~]*){_WHO}")
_AUTHORIZED, _NUMBER = "~REF*G1*", "?"
_PEOPLE = (
    "service_facility",
    "rendering_provider",
    "referring_provider",
    "attending_provider",
    "operating_provider",
    "providers",
    "other_payers",
)


class ClaimReader(Generic[_C, _L]):
    """Claims of one input. read is the loop reader, blank the least it takes; inform reads the composites of HI."""

    def __init__(
        self,
        read: Callable[[Cursor, Context], _C],
        blank: str,
        inform: Callable[[Sequence[str]], Mapping[str, Any]],
        lines: Lines[_L],
    ) -> None:
        self._read = read
        self._inform = inform
        self._lines = lines
        self._context = _nobody()
        self._blank = blank
        self._blank_claim = self._whole(blank)
        self._heads = Memo(self._head)
        self._information = Memo(self._informed)
        self._people = Memo(self._named)
        self._payers = Memo(_payer)

    def claims(self, cursor: Cursor, context: Context) -> Iterator[_C]:
        """Claims from the cursor on, their levels put into context, up to the first of another shape."""
        text = ""
        while cursor.text is not text:  # As long as it was the batch that ended.
            text = cursor.text
            pos = cursor.pos
            try:
                for end in loop_ends(cursor, _ENDS):
                    if text.startswith("CLM*", pos):
                        yield self._claim(text[pos:end], context)
                    elif (found := _SUBSCRIBER.fullmatch(text, pos, end)) is not None:
                        self._subscriber(found, context)
                    elif (found := _PATIENT.fullmatch(text, pos, end)) is not None:
                        _patient(found, context)
                    else:
                        break
                    pos = end + 1
            except (UnusualShapeError, X12Error):
                pass  # The loop readers meet it again and say where if it is wrong.
            if pos > cursor.pos:
                cursor.leap(pos)

    def _claim(self, text: str, context: Context) -> _C:
        head, *lines = text.split("~LX*")
        claim_segment, end, rest = head.partition("~")
        e = claim_segment.split("*", 3)
        before, informed, behind = f"{end}{rest}".partition("~HI*")
        information, named, people = behind.partition("~NM1*")
        front, authorized, behind = before.partition(_AUTHORIZED)
        number, number_end, tail = behind.partition("~")
        billing, subscriber, payer = context.billing, context.subscriber, context.payer
        if len(e) < 4 or "*" in number or billing is None or subscriber is None or payer is None:
            raise UnusualShapeError
        template = self._heads[f"{e[3]}{front}{authorized}{number_end}{tail}{informed}"]
        return replace(
            replace(template, **self._information[information], **self._people[f"{named}{people}"]),
            claim_id=e[1],
            charge_cents=parse_cents(e[2]),
            billing_provider=billing,
            subscriber=subscriber,
            payer=payer,
            patient=context.patient,
            prior_authorization_number=number,
            lines=self._lines.take([line[line.find("~") :] for line in lines]),
        )

    def _subscriber(self, found: re.Match[str], context: Context) -> None:
        insurance_text, name_text, street, city, born, sex, payer = found.groups()
        insurance, name = insurance_text.split("*"), name_text.split("*")
        if len(insurance) != 9 or len(name) != 8:
            raise UnusualShapeError
        context.subscriber = Subscriber(
            member_id=name[7],
            last_name=name[1],
            first_name=name[2],
            middle_name=name[3],
            suffix=name[5],
            entity_type="2" if name[0] == "2" else "1",
            birth_date=read_date(born) if born else None,
            sex=sex or "",
            address=_address(street, city) if city else None,
            responsibility=insurance[0],
            group_number=insurance[2],
            group_name=insurance[3],
            insurance_type_code=insurance[4],
            filing_code=insurance[8],
        )
        context.payer, context.patient = self._payers[payer], None

    def _whole(self, text: str) -> _C:
        return read_whole(text, lambda cursor: self._read(cursor, self._context))

    def _named(self, text: str) -> dict[str, Any]:
        return changes(self._blank + text, self._whole, self._blank_claim, _PEOPLE)

    def _informed(self, text: str) -> Mapping[str, Any]:
        """HI segments behind the first name."""
        segments = text.split("~HI*")
        if text.count("~") >= len(segments):
            raise UnusualShapeError
        return self._inform([composite for segment in segments for composite in segment.split("*")[:12] if composite])

    def _head(self, text: str) -> _C:
        """A claim up to its HI (which must not stand in a loop of its own), with a stand-in for its authorization."""
        if text.endswith("~HI*") and ("~NM1" in text or "~SBR" in text):
            raise UnusualShapeError
        claim = self._whole("CLM**0*" + text.replace(_AUTHORIZED, _AUTHORIZED + _NUMBER))
        if claim.prior_authorization_number != _NUMBER * text.count(_AUTHORIZED):
            raise UnusualShapeError
        return claim


def _nobody() -> Context:
    """Levels for claims that are read without them."""
    context = Context()
    context.billing = BillingProvider(name="", npi="", tax_id="", address=Address())
    context.subscriber = Subscriber(member_id="", last_name="")
    context.payer = Payer(name="", payer_id="")
    return context


def _payer(text: str) -> Payer | None:
    """NM1*PR and what follows, the terminator in front of each segment."""
    return read_whole(f"HL*1**22*0~NM1*IL*1{text}", read_subscriber)[1]


def _patient(found: re.Match[str], context: Context) -> None:
    """Take a patient level into the context."""
    relationship, name_text, street, city, born, sex = found.groups()
    name = name_text.split("*")
    if not 2 <= len(name) <= 6:
        raise UnusualShapeError
    name += [""] * 5
    context.patient = Patient(
        relationship_code=relationship,
        last_name=name[1],
        first_name=name[2],
        middle_name=name[3],
        suffix=name[5],
        birth_date=read_date(born) if born else None,
        sex=sex or "",
        address=_address(street, city) if city else None,
    )


def _address(street: str, region: str) -> Address:
    """N3 and N4; not remembered, since postal codes of nine digits hardly repeat."""
    e = region.split("*")
    if len(e) != 3:
        raise UnusualShapeError
    return Address(line1=street, city=e[0], state=e[1], postal_code=e[2])
