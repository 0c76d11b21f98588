"""A small world that tells claims what other services would: synthetic people, codes that exist nowhere."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from revcycle_claims.domain.ids import patient_control_number, stable_id, submission_id
from revcycle_events import (
    Address,
    ClaimAcknowledged,
    ClaimAdjudicated,
    ClaimRejected,
    ClaimTransmitted,
    CodedService,
    CoveragePolicy,
    CoverageRecorded,
    DocumentReference,
    EncounterCoded,
    EncounterDocumented,
    EncounterRecoded,
    EncounterService,
    Event,
    FacilityRecorded,
    PatientDetails,
    PatientRegistered,
    PayerRecorded,
    RejectionReason,
    RemittanceReceived,
    RemittedAdjustment,
    RemittedClaim,
    RemittedLine,
    RenderingProvider,
)
from revcycle_messaging import Cause, DependsOn, Envelope, KeyRing
from revcycle_messaging.sealing import Received, seal_event
from revcycle_messaging.testing import START, TENANT, make_key_ring
from revcycle_messaging.transports import IncomingRecord

NPI = "1234567893"
RENDERING_NPI = "1679576722"
PAYER = "TESTPAY"
DATE_OF_SERVICE = date(2026, 8, 3)
BUSINESS_DATE = date(2026, 9, 30)
ADDRESS = Address(line1="1 TEST WAY", city="TESTVILLE", state="MA", postal_code="021390001")
PRICES = {"G0463": 10_000, "T1015": 2_500}


class World:
    """Makes events with their sequences and causes; ``log`` keeps all of them in the order they were told."""

    def __init__(self, tenant_id: UUID = TENANT) -> None:
        self.tenant_id = tenant_id
        self.log: list[Received[Any]] = []
        self._sequences: Counter[tuple[str, str]] = Counter()

    def id(self, *parts: object) -> UUID:
        return stable_id(self.tenant_id, "world", *parts)

    def tell(self, event: Event, depends_on: Sequence[DependsOn] = (), encounter: UUID | None = None) -> Received[Any]:
        topic, key = event.contract.topic, event.key
        self._sequences[topic, key] += 1
        number = len(self.log) + 1
        envelope = Envelope(
            id=UUID(int=(self.tenant_id.int & ~0xFFFFFFFF) | number),
            type=event.contract.type,
            source="revcycle/world",
            subject=key,
            time=START + timedelta(milliseconds=number),
            sequence=self._sequences[topic, key],
            tenant_id=self.tenant_id,
            correlation_id=str(encounter) if encounter else None,
            causation_id=None,
            depends_on=tuple(depends_on),
            traceparent=None,
        )
        received: Received[Any] = Received(envelope, event, topic, key)
        self.log.append(received)
        return received

    # --- set-up -------------------------------------------------------------------------------------------------
    def facility(self, npi: str = NPI) -> Received[Any]:
        return self.tell(
            FacilityRecorded(
                party_id=npi,
                npi=npi,
                name="SYNTHETIC CLINIC",
                tax_id="123456789",
                address=ADDRESS,
                time_zone="America/New_York",
            )
        )

    def payer(self, payer_id: str = PAYER, limit_days: int = 90) -> Received[Any]:
        return self.tell(
            PayerRecorded(party_id=payer_id, payer_id=payer_id, name="SYNTHETIC PAYER", filing_limit_days=limit_days)
        )

    # --- the patient's side -------------------------------------------------------------------------------------
    def patient(self, name: str) -> Received[Any]:
        details = PatientDetails(
            medical_record_number=f"MRN-{name}",
            last_name="TESTPERSON",
            first_name=name.upper(),
            birth_date=date(1980, 1, 2),
            sex="F",
            address=ADDRESS,
        )
        return self.tell(
            PatientRegistered(patient_id=self.id("patient", name), facility_npi=NPI, missing=[], details=details)
        )

    def coverage(
        self, name: str, payer_id: str = PAYER, rank: int = 1, effective_to: date | None = None
    ) -> Received[Any]:
        policy = CoveragePolicy(
            member_id=f"M-{name}", relationship="self", effective_from=date(2026, 1, 1), effective_to=effective_to
        )
        return self.tell(
            CoverageRecorded(
                patient_id=self.id("patient", name),
                coverage_id=self.id("coverage", name, rank),
                rank=rank,
                payer_id=payer_id,
                policy=policy,
            )
        )

    def documented(
        self, name: str, *, npi: str = NPI, on: date = DATE_OF_SERVICE, depends_on: Sequence[DependsOn] = ()
    ) -> Received[Any]:
        encounter_id = self.id("encounter", name)
        return self.tell(
            EncounterDocumented(
                encounter_id=encounter_id,
                patient_id=self.id("patient", name),
                facility_npi=npi,
                completeness_rule="test-1",
                document=DocumentReference(
                    document_id=self.id("document", name),
                    version=1,
                    type="note",
                    source="typed",
                    signed=True,
                    sha256="0" * 64,
                    size_bytes=10,
                ),
                rendering_provider=RenderingProvider(npi=RENDERING_NPI, last_name="TESTDOCTOR", first_name="JO"),
                encounter_number=f"E-{name}",
                date_of_service=on,
                place_of_service="11",
                diagnoses=["Z00.00"],
                services=[EncounterService(code="G0463", units=1, diagnosis_pointers=[1])],
            ),
            depends_on,
            encounter_id,
        )

    def coded(
        self,
        name: str,
        codes: Sequence[str] = ("G0463", "T1015"),
        *,
        units: int = 1,
        version: int = 1,
        on: date = DATE_OF_SERVICE,
        pointers: Sequence[int] = (1,),
        depends_on: Sequence[DependsOn] = (),
        side: str = "professional",
    ) -> Received[Any]:
        encounter_id = self.id("encounter", name)
        values: dict[str, Any] = {
            "encounter_id": encounter_id,
            "billing_side": side,
            "coding_version": version,
            "document_version": 1,
            "finalised_by": "policy:test",
            "decision_id": self.id("decision", name, version),
            "code_set_releases": {},
            "date_of_service": on,
            "diagnoses": ["Z00.00", "R05.9"],
            "services": [
                CodedService(line_number=number, code=code, units=units, diagnosis_pointers=list(pointers))
                for number, code in enumerate(codes, start=1)
            ],
        }
        event = EncounterCoded(**values) if version == 1 else EncounterRecoded(reason="corrected", **values)
        return self.tell(event, depends_on, encounter_id)

    def visit(self, name: str, codes: Sequence[str] = ("G0463", "T1015")) -> list[Received[Any]]:
        """A whole visit: patient, coverage, note and codes, each naming what it was decided on."""
        self.patient(name)
        coverage = self.coverage(name)
        documented = self.documented(name, depends_on=[coverage.reference])
        self.coded(name, codes, depends_on=[documented.reference])
        return self.log[-4:]

    # --- the payer's side ---------------------------------------------------------------------------------------
    def claim_id(self, name: str) -> UUID:
        """The claim of an encounter, as the first coding of its professional side brings it into being."""
        coding = next(
            item
            for item in self.log
            if item.event.contract.topic == "revcycle.codings.v1"
            and item.event.encounter_id == self.id("encounter", name)
        )
        return coding.cause.derive("claim:professional")

    def submission_id(self, name: str, ordinal: int = 1) -> UUID:
        return submission_id(self.tenant_id, self.claim_id(name), ordinal)

    def transmitted(self, name: str, ordinal: int = 1) -> Received[Any]:
        return self.tell(
            ClaimTransmitted(
                claim_id=self.claim_id(name),
                submission_id=self.submission_id(name, ordinal),
                payer_id=PAYER,
                interchange_id=self.id("interchange", name, ordinal),
                interchange_control_number="000000001",
                bytes_sha256="0" * 64,
            )
        )

    def acknowledged(self, name: str, ordinal: int = 1) -> Received[Any]:
        return self.tell(
            ClaimAcknowledged(
                claim_id=self.claim_id(name),
                submission_id=self.submission_id(name, ordinal),
                payer_id=PAYER,
                source="277ca",
                category="A2",
                payer_claim_control_number=f"ICN-{name}",
            )
        )

    def rejected(self, name: str, ordinal: int = 1) -> Received[Any]:
        return self.tell(
            ClaimRejected(
                claim_id=self.claim_id(name),
                submission_id=self.submission_id(name, ordinal),
                payer_id=PAYER,
                reasons=[RejectionReason(source="277ca", category="A7", status="562", entity="85")],
            )
        )

    def adjudicated(self, name: str, outcome: str = "paid") -> Received[Any]:
        return self.tell(
            ClaimAdjudicated(
                claim_id=self.claim_id(name),
                submission_id=self.submission_id(name),
                payer_id=PAYER,
                remittance_id=self.id("remittance", name),
                claim_status_code="1",
                is_reversal=False,
                charge_cents=0,
                paid_cents=0,
                patient_responsibility_cents=0,
                lines=[
                    {
                        "line_number": 1,
                        "outcome": outcome,
                        "charge_cents": 0,
                        "paid_cents": 0,
                        "matched_by": "line_control_number",
                    }
                ],
            )
        )

    def remitted(
        self,
        name: str,
        lines: Sequence[tuple[int | None, int, Sequence[tuple[str, str, int]]]] = (
            (1, 10_000, (("CO", "45", 3_000), ("PR", "2", 1_000))),
            (2, 2_500, (("CO", "45", 500),)),
        ),
        *,
        chain: int = 1,
        reversal: bool = False,
        control_number: str | None = None,
        claim_id: UUID | None = None,
    ) -> RemittedClaim:
        """A CLP from lines of (line number, charge, CAS entries); what is not adjusted is paid."""
        sign = -1 if reversal else 1
        claim_id = claim_id or self.claim_id(name)
        remitted_lines = [
            RemittedLine(
                line_number=number,
                matched_by="line_control_number" if number else "none",
                charge_cents=sign * charge,
                paid_cents=sign * (charge - sum(cents for _, _, cents in adjustments)),
                adjustments=[
                    RemittedAdjustment(group=group, carc=carc, amount_cents=sign * cents)
                    for group, carc, cents in adjustments
                ],
            )
            for number, charge, adjustments in lines
        ]
        patient = sum(cents for _, _, entries in lines for group, _, cents in entries if group == "PR")
        return RemittedClaim(
            claim_id=claim_id,
            submission_id=None,
            patient_control_number=patient_control_number(self.tenant_id, claim_id, chain),
            payer_claim_control_number=control_number or f"ICN-{name}",
            claim_status_code="22" if reversal else "1",
            is_reversal=reversal,
            charge_cents=sum(line.charge_cents for line in remitted_lines),
            paid_cents=sum(line.paid_cents for line in remitted_lines),
            patient_responsibility_cents=sign * patient,
            lines=remitted_lines,
        )

    def remittance(
        self,
        trace: str,
        claims: Iterable[RemittedClaim],
        provider_adjustments: Sequence[tuple[str, int]] = (),
        *,
        identity: str | None = None,
        paid_cents: int | None = None,
        copy: int = 1,
    ) -> Received[Any]:
        remitted = list(claims)
        balance = sum(claim.paid_cents for claim in remitted) - sum(cents for _, cents in provider_adjustments)
        return self.tell(
            RemittanceReceived(
                remittance_id=self.id("remittance", trace, copy),
                payer_id=PAYER,
                trace_number=trace,
                payment_date=date(2026, 9, 20),
                payment_method="ACH",
                paid_cents=balance if paid_cents is None else paid_cents,
                identity_key=identity or f"identity-{trace}",
                bytes_sha256="0" * 64,
                claims=remitted,
                provider_adjustments=[
                    {"reason": reason, "amount_cents": cents} for reason, cents in provider_adjustments
                ],
            )
        )

    def cause(self, number: int = 1) -> Cause:
        """A request as a cause."""
        return Cause(self.tenant_id, UUID(int=10**9 + number), datetime(2026, 9, 30, 12, tzinfo=UTC), "biller:test")


class Sealer:
    """Turns told events into records as they lie on the topic."""

    def __init__(self, folder: Path, tenants: Sequence[UUID]) -> None:
        self.producer_keys: KeyRing = make_key_ring(folder, service="world", tenants=tenants)
        self.keys: KeyRing = make_key_ring(folder, ("identity", "clinical"), service="claims", tenants=tenants)

    def record(self, received: Received[Any], offset: int) -> IncomingRecord:
        sealed = seal_event(received.event, received.envelope, received.topic, self.producer_keys)
        headers = [(name, value.encode()) for name, value in sealed.headers.items()]
        return IncomingRecord(received.topic, 0, offset, received.key.encode(), sealed.payload, headers)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def world_class() -> type[World]:
    return World


@pytest.fixture
def sealer_class() -> type[Sealer]:
    return Sealer
