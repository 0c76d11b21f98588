"""Writing and reading the 278 (005010X217): authorization requests and answers."""

from collections.abc import Iterator, Sequence

from revcycle_edi.x12.cursor import Cursor, TransactionStart, at_end, iter_transactions, split_procedure
from revcycle_edi.x12.errors import X12Error
from revcycle_edi.x12.hierarchy import Part, write_demographics, write_name, write_refusals
from revcycle_edi.x12.reader import Source
from revcycle_edi.x12.records.common import Envelope, Name, RawSegment
from revcycle_edi.x12.records.review import Decision, Review, ReviewService, ReviewTransaction
from revcycle_edi.x12.records.status import Demographics
from revcycle_edi.x12.t837_write import write_dates
from revcycle_edi.x12.values import parse_optional_cents, parse_optional_quantity
from revcycle_edi.x12.writer import TransactionWriter, cents_text, code, composite, quantity_text

VERSION = "005010X217"
_MAX_DIAGNOSES = 12
_STOPS: frozenset[str] = frozenset()


def build_278(envelope: Envelope, reference: str, reviews: Sequence[Review], *, purpose: str = "13") -> bytes:
    """Write one 278 per review (the guide allows one patient event a transaction). purpose 13 asks, 11 answers.

    X12Error names the field that cannot be sent.
    """
    if not reviews:
        raise X12Error("278.write.empty", "there is nothing to send", expected="at least one review")
    out = TransactionWriter(envelope, "HI", VERSION)
    at = envelope.created_at
    for ordinal, review in enumerate(reviews):
        out.open("278")
        own = reference if ordinal == 0 else f"{reference}-{ordinal + 1}"
        number = code(own, "reference", 50, required=True)
        out.add("BHT", "0007", code(purpose, "purpose", 2, required=True), number, f"{at:%Y%m%d}", f"{at:%H%M}")
        _write_review(out, review)
        out.close()
    return out.finish()


def _write_review(out: TransactionWriter, review: Review) -> None:
    parent = out.level("20", child=True)
    write_name(out, "X3", review.payer)
    parent = out.level("21", parent=parent, child=True)
    write_name(out, "1P", review.requester)
    parent = out.level("22", parent=parent, child=True)
    write_name(out, "IL", review.subscriber)
    write_demographics(out, review.subscriber_demographics)
    if review.dependent is not None:
        parent = out.level("23", parent=parent, child=True)
        write_name(out, "QC", review.dependent)
        write_demographics(out, review.dependent_demographics)
    event = out.level("EV", parent=parent, child=bool(review.services))
    if review.trace_number:
        trace = code(review.trace_number, "trace_number", 50)
        out.add("TRN", "1", trace, code(review.trace_company, "trace_company", 10))
    write_refusals(out, review.refusals)
    out.add(
        "UM",
        code(review.category, "category", 2, required=True),
        code(review.certification_type, "certification_type", 1),
        code(review.service_type, "service_type", 2),
        composite(code(review.place_of_service, "place_of_service", 2), "B") if review.place_of_service else "",
    )
    _write_decision(out, review.decision)
    write_dates(out, review.dates)
    composites = [
        composite(code(q, "HI qualifier", 3), code(c.replace(".", ""), "diagnosis", 30)) for q, c in review.diagnoses
    ]
    if len(composites) > _MAX_DIAGNOSES:
        raise X12Error("278.write.diagnoses", "more diagnoses than a review holds", expected=f"up to {_MAX_DIAGNOSES}")
    if composites:
        out.add("HI", *composites)
    out.raw(review.extra_segments)
    for service in review.services:
        _write_service(out, service, event)


def _write_decision(out: TransactionWriter, decision: Decision | None) -> None:
    if decision is not None:
        number = code(decision.authorization_number, "authorization_number", 50)
        out.add("HCR", code(decision.action, "action", 2, required=True), number, code(decision.reason, "reason", 30))


def _write_service(out: TransactionWriter, service: ReviewService, event: int) -> None:
    out.level("SS", parent=event, child=False)
    write_refusals(out, service.refusals)
    _write_decision(out, service.decision)
    write_dates(out, service.dates)
    modifiers = [code(m, "modifier", 2) for m in service.modifiers]
    out.add(
        "SV1",
        composite(
            service.procedure_qualifier, code(service.procedure_code, "procedure_code", 48, required=True), *modifiers
        ),
        cents_text(service.charge_cents),
        code(service.unit_code, "unit_code", 2),
        quantity_text(service.units),
    )
    out.raw(service.extra_segments)


def _take(extra: list[RawSegment], segment_id: str) -> list[str]:
    """Remove the first raw segment with the id and return it padded, all empty when there is none."""
    for index, raw in enumerate(extra):
        if raw[0] == segment_id:
            return [*extra.pop(index), *[""] * 26]
    return [""] * 26


def _decision(extra: list[RawSegment]) -> Decision | None:
    hcr = _take(extra, "HCR")
    return Decision(action=hcr[1], authorization_number=hcr[2], reason=hcr[3]) if hcr[1] else None


def _service(part: Part) -> ReviewService:
    sv1 = _take(part.extra, "SV1")
    qualifier, procedure, modifiers, _ = split_procedure(sv1[1])
    return ReviewService(
        procedure_code=procedure,
        procedure_qualifier=qualifier,
        modifiers=modifiers,
        charge_cents=parse_optional_cents(sv1[2]),
        unit_code=sv1[3],
        units=parse_optional_quantity(sv1[4]),
        dates=tuple(part.dates),
        decision=_decision(part.extra),
        refusals=tuple(part.refusals),
        extra_segments=tuple(part.extra),
    )


class _Walk:
    """The levels of one transaction."""

    def __init__(self) -> None:
        self.levels: dict[str, Part] = {}
        self.services: list[ReviewService] = []

    def name(self, level: str) -> Name:
        """The name of a level."""
        part = self.levels.get(level)
        return part.name if part is not None and part.name is not None else Name()

    def demographics(self, level: str) -> Demographics:
        """Birth date and sex of a level."""
        part = self.levels.get(level)
        return part.demographics if part is not None else Demographics()

    def review(self) -> Review | None:
        """The event read so far, None when there is none."""
        event = self.levels.pop("EV", None)
        if event is None:
            return None
        um = _take(event.extra, "UM")
        hi = [c.split(":") for raw in event.extra if raw[0] == "HI" for c in raw[1:] if ":" in c]
        event.extra = [raw for raw in event.extra if raw[0] != "HI"]
        services, self.services = tuple(self.services), []
        return Review(
            payer=self.name("20"),
            requester=self.name("21"),
            subscriber=self.name("22"),
            subscriber_demographics=self.demographics("22"),
            dependent=self.name("23") if "23" in self.levels else None,
            dependent_demographics=self.demographics("23"),
            trace_number=event.trace[0],
            trace_company=event.trace[1],
            category=um[1],
            certification_type=um[2],
            service_type=um[3],
            place_of_service=um[4].partition(":")[0],
            decision=_decision(event.extra),
            refusals=tuple(event.refusals),
            dates=tuple(event.dates),
            diagnoses=tuple((c[0], c[1]) for c in hi),
            services=services,
            extra_segments=tuple(event.extra),
        )


def _parse(cursor: Cursor, start: TransactionStart) -> Iterator[ReviewTransaction]:
    bht = cursor.e
    walk = _Walk()
    reviews: list[Review] = []
    while not at_end(cursor):
        if cursor.id != "HL":
            cursor.advance()
            continue
        level = cursor.e[3]
        if level in ("EV", "22", "23"):
            found = walk.review()
            reviews += [found] if found else []
        if level == "22":
            walk.levels.pop("23", None)
        part = Part()
        cursor.advance()
        part.read(cursor, _STOPS)
        if level == "SS":
            walk.services.append(_service(part))
        else:
            walk.levels[level] = part
    last = walk.review()
    yield ReviewTransaction(
        envelope=start.envelope,
        transaction_control_number=start.control_number,
        purpose=bht[2],
        reference=bht[3],
        reviews=tuple([*reviews, last] if last else reviews),
    )


def parse_278(data: Source) -> list[ReviewTransaction]:
    """Every authorization transaction of an input. X12Error when the input cannot be read."""
    return list(iter_transactions(data, "278", _parse))
