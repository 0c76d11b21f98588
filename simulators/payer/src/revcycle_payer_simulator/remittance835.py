"""Writing an 835 (005010X221A1) and reading one's own back. What is written balances at line, claim and transaction."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from revcycle_payer_simulator.benefit_plan import Adjustment, PlanOutcome
from revcycle_payer_simulator.claim837 import Payee, ReceivedClaim
from revcycle_payer_simulator.fee_schedule import PLANS
from revcycle_payer_simulator.x12 import (
    Envelope,
    Interchange,
    Segment,
    element,
    format_cents,
    open_set,
    parse_cents,
    segment,
    write_interchange,
)

GUIDE = "005010X221A1"
REVERSED = "22"
_ORIGINATOR_ACCOUNT = ("01", "999999992", "DA", "0001002003")
_RECEIVER_ACCOUNT = ("01", "999988880", "DA", "0004005006")


@dataclass(frozen=True, slots=True)
class Manner:
    """How one payer writes its remittances."""

    echoes_line_control: bool = True
    echoes_modifiers: bool = True
    says_denied: bool = False
    states_allowed: bool = True


MANNERS: dict[str, Manner] = {
    "REVPAY1": Manner(),
    "REVPAY2": Manner(echoes_line_control=False, says_denied=True),
    "REVPAY3": Manner(echoes_modifiers=False, states_allowed=False),
}


@dataclass(frozen=True, slots=True)
class RemittedClaim:
    """One CLP: the claim, its outcome, the payer's control number, and whether it takes an earlier CLP back."""

    claim: ReceivedClaim
    outcome: PlanOutcome
    payer_control_number: str
    reversal: bool = False

    @property
    def paid_cents(self) -> int:
        """CLP04: negative in a reversal."""
        return -self.outcome.paid_cents if self.reversal else self.outcome.paid_cents


@dataclass(frozen=True, slots=True)
class ProviderAdjustment:
    """One PLB pair. A positive amount lowers the payment."""

    code: str
    reference: str
    amount_cents: int


@dataclass(frozen=True, slots=True)
class Remittance:
    """One 835: a payee, claims, provider-level adjustments and the trace number of the money."""

    payee: Payee
    trace_number: str
    claims: tuple[RemittedClaim, ...]
    provider_adjustments: tuple[ProviderAdjustment, ...] = ()

    @property
    def paid_cents(self) -> int:
        """BPR02 = sum of CLP04 - sum of PLB."""
        return sum(claim.paid_cents for claim in self.claims) - sum(
            adjustment.amount_cents for adjustment in self.provider_adjustments
        )


@dataclass(frozen=True, slots=True)
class ReadClaim:
    """What is read back from one CLP."""

    payer_control_number: str
    reversal: bool


@dataclass(frozen=True, slots=True)
class ReadRemittance:
    """What is read back from one 835. `balanced` holds over all three levels."""

    payer_id: str
    payee_npi: str
    trace_number: str
    paid_cents: int
    claims: tuple[ReadClaim, ...]
    provider_adjustments: tuple[ProviderAdjustment, ...]
    balanced: bool


def write_835(envelope: Envelope, remittance: Remittance, planted_error_cents: int = 0) -> bytes:
    """One 835. `planted_error_cents` breaks the balance of the first line on purpose.

    Raises ValueError when the payment would be negative: money owed by the payee is carried forward, not billed.
    """
    if remittance.paid_cents < 0:
        raise ValueError(f"an 835 cannot pay {remittance.paid_cents} cents: carry the balance forward with PLB FB")
    plan, manner = PLANS[envelope.payer_id], MANNERS[envelope.payer_id]
    body = [
        open_set("835"),
        _payment(envelope, remittance.paid_cents, plan.tax_id),
        segment("TRN", "1", remittance.trace_number, f"1{plan.tax_id}"),
        segment("DTM", "405", envelope.day),
        segment("N1", "PR", plan.name),
        segment("N3", "1 EXAMPLE PLAZA"),
        segment("N4", "SALEM", "OR", "973010001"),
        segment("PER", "BL", "PROVIDER SERVICES", "TE", "5555550100"),
        segment("N1", "PE", remittance.payee.name, "XX", remittance.payee.npi),
    ]
    if remittance.payee.tax_id:
        body.append(segment("REF", "TJ", remittance.payee.tax_id))
    body.append(segment("LX", "1"))
    for index, claim in enumerate(remittance.claims):
        body.extend(_claim(claim, manner, 0 if index else planted_error_cents))
    body.extend(_provider_adjustments(remittance, envelope.business_date))
    return write_interchange(envelope, "HP", GUIDE, [body])


def _payment(envelope: Envelope, paid_cents: int, tax_id: str) -> str:
    amount = format_cents(paid_cents)
    if paid_cents == 0:
        return segment("BPR", "H", amount, "C", "NON", *[""] * 11, envelope.day)
    originator = f"1{tax_id}"
    accounts = (*_ORIGINATOR_ACCOUNT, originator, "", *_RECEIVER_ACCOUNT)
    return segment("BPR", "I", amount, "C", "ACH", "CCP", *accounts, envelope.day)


def _claim(remitted: RemittedClaim, manner: Manner, error_cents: int) -> Iterator[str]:
    claim, outcome = remitted.claim, remitted.outcome
    sign = -1 if remitted.reversal else 1
    patient = "" if remitted.reversal or not outcome.patient_cents else format_cents(outcome.patient_cents)
    yield segment(
        "CLP",
        claim.claim_id,
        _status(remitted, manner),
        format_cents(sign * outcome.charge_cents),
        format_cents(remitted.paid_cents),
        patient,
        "12",
        remitted.payer_control_number,
        claim.place_of_service,
        claim.frequency,
    )
    yield segment(
        "NM1", "QC", "1", claim.patient.last_name, claim.patient.first_name, "", "", "", "MI", claim.member_id
    )
    if claim.rendering_npi:
        yield segment("NM1", "82", "1", "", "", "", "", "", "XX", claim.rendering_npi)
    if outcome.unprocessable:
        yield segment("MOA", "", "", "MA130")
    for index, (line, result) in enumerate(zip(claim.lines, outcome.lines, strict=True)):
        modifiers = line.modifiers if manner.echoes_modifiers else ()
        paid = sign * result.paid_cents + (0 if index else error_cents)
        yield segment(
            "SVC",
            ("HC", line.code, *modifiers),
            format_cents(sign * result.charge_cents),
            format_cents(paid),
            "",
            str(line.units),
        )
        yield segment("DTM", "472", f"{line.date_of_service:%Y%m%d}" if line.date_of_service else "")
        yield from _adjustments(result.adjustments, sign)
        if line.control_number and manner.echoes_line_control:
            yield segment("REF", "6R", line.control_number)
        if manner.states_allowed and result.allowed_cents and not remitted.reversal:
            yield segment("AMT", "B6", format_cents(result.allowed_cents))
        for remark in result.remarks:
            if remark != "MA130":
                yield segment("LQ", "HE", remark)


def _status(remitted: RemittedClaim, manner: Manner) -> str:
    if remitted.reversal:
        return REVERSED
    return "4" if manner.says_denied and remitted.outcome.kind == "denied" else "1"


def _adjustments(adjustments: Sequence[Adjustment], sign: int) -> Iterator[str]:
    """One CAS per group, reasons in order. A line has at most three reasons; a CAS holds six."""
    for group in dict.fromkeys(adjustment.group for adjustment in adjustments):
        trios: list[str] = []
        for adjustment in adjustments:
            if adjustment.group == group:
                trios += [adjustment.carc, format_cents(sign * adjustment.amount_cents), ""]
        yield segment("CAS", group, *trios)


def _provider_adjustments(remittance: Remittance, business_date: date) -> Iterator[str]:
    if remittance.provider_adjustments:
        pairs: list[str | tuple[str, ...]] = []
        for adjustment in remittance.provider_adjustments:
            pairs += [(adjustment.code, adjustment.reference), format_cents(adjustment.amount_cents)]
        yield segment("PLB", remittance.payee.npi, f"{business_date.year}1231", *pairs)


def read_remittances(interchange: Interchange) -> list[ReadRemittance]:
    """Every 835 of one interchange: how the simulator learns after a restart what it has paid."""
    payer_id = interchange.sender[1]
    return [
        _read(payer_id, transaction.segments)
        for group in interchange.groups
        for transaction in group.transactions
        if transaction.code == "835"
    ]


def _read(payer_id: str, segments: Sequence[Segment]) -> ReadRemittance:
    claims: list[ReadClaim] = []
    provider: list[ProviderAdjustment] = []
    paid, trace, payee, claims_cents = 0, "", "", 0
    for part in segments:
        name = part[0]
        if name == "BPR":
            paid = _cents(part, 2)
        elif name == "TRN":
            trace = element(part, 2)
        elif name == "N1" and element(part, 1) == "PE":
            payee = element(part, 4)
        elif name == "CLP":
            claims.append(ReadClaim(element(part, 7), element(part, 2) == REVERSED))
            claims_cents += _cents(part, 4)
        elif name == "PLB":
            provider += _plb(part)
    adjusted = sum(adjustment.amount_cents for adjustment in provider)
    balanced = _claims_balance(segments) and claims_cents - adjusted == paid
    return ReadRemittance(payer_id, payee, trace, paid, tuple(claims), tuple(provider), balanced)


def _claims_balance(segments: Sequence[Segment]) -> bool:
    """Whether every line and every claim comes to nothing after payment and adjustments."""
    claim_left = line_left = 0
    balanced, in_line = True, False
    for part in segments:
        name = part[0]
        if name in {"SVC", "CLP", "PLB", "SE"}:
            balanced, line_left, in_line = balanced and line_left == 0, 0, name == "SVC"
        if name in {"CLP", "PLB", "SE"}:
            balanced, claim_left = balanced and claim_left == 0, 0
        if name == "CLP":
            claim_left = _cents(part, 3) - _cents(part, 4)
        elif name == "SVC":
            line_left = _cents(part, 2) - _cents(part, 3)
        elif name == "CAS":
            adjusted = sum(_cents(part, position) for position in range(3, len(part), 3))
            line_left -= adjusted if in_line else 0
            claim_left -= adjusted
    return balanced


def _plb(part: Segment) -> list[ProviderAdjustment]:
    found = []
    for position in range(3, len(part) - 1, 2):
        code, _, reference = part[position].partition(":")
        found.append(ProviderAdjustment(code, reference, _cents(part, position + 1)))
    return found


def _cents(part: Segment, position: int) -> int:
    return parse_cents(element(part, position)) or 0
