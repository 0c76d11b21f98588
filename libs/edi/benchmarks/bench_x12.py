"""Speed of reading, balancing, validating and writing, as ratios to the split-stream floor of the same run.

    python libs/edi/benchmarks/bench_x12.py [--claims 10000] [--rounds 3]

The floor splits a file into segments and every segment into elements, nothing else. Targets: parse + balance at least
0.3 of it, validate 0.1, generate 1.0. Contenders run interleaved; the table shows medians.
"""

import argparse
import gc
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal

from revcycle_edi.npi import npi_check_digit
from revcycle_edi.x12 import (
    balance_835_claim,
    balance_837,
    build_837p,
    iter_835_claims,
    iter_837p_claims,
    unbalanced,
    validate,
)
from revcycle_edi.x12.records import (
    Address,
    Adjustment,
    BillingProvider,
    Envelope,
    Name,
    Payer,
    ProfessionalClaim,
    ProfessionalLine,
    Provider,
    Remittance,
    RemittanceClaim,
    RemittanceLine,
    RemittanceParty,
    SubmissionHeader,
    Subscriber,
)
from revcycle_edi.x12.t835_build import build_835

ENVELOPE = Envelope(
    sender_id="SENDER", receiver_id="RECEIVER", control_number=1, created_at=datetime(2026, 6, 1, tzinfo=UTC), usage="T"
)
HEADER = SubmissionHeader(
    reference="BENCH",
    submitter_name="SENDER",
    submitter_id="S1",
    receiver_name="RECEIVER",
    receiver_id="R1",
    contact_name="DESK",
    contact_phone="5550100000",
)


def npi(number: int) -> str:
    """A synthetic NPI."""
    stem = f"1{number:08d}"
    return stem + npi_check_digit(stem)


def claims(count: int) -> list[ProfessionalClaim]:
    """Synthetic claims: 20 billing providers, one subscriber each, two to four lines."""
    address = Address(line1="1 TEST STREET", city="TESTVILLE", state="TX", postal_code="787010001")
    payer = Payer(name="TEST PAYER", payer_id="R1")
    rendering = [Provider(last_name="SAMPLE", first_name="DOC", npi=npi(n + 500)) for n in range(50)]
    billing = [
        BillingProvider(name=f"CLINIC {n}", npi=npi(n), tax_id=f"12345{n:04d}", address=address) for n in range(20)
    ]
    made: list[ProfessionalClaim] = []
    for n in range(count):
        lines = tuple(
            ProfessionalLine(
                procedure_code=("G0463", "T1015", "J1030")[k % 3],
                charge_cents=10_000 + 25 * k + n % 100,
                units=Decimal(1),
                diagnosis_pointers=(1, 2),
                service_from=date(2026, 5, 1 + n % 28),
                control_number=str(k + 1),
            )
            for k in range(2 + n % 3)
        )
        made.append(
            ProfessionalClaim(
                claim_id=f"BENCH{n:07d}",
                charge_cents=sum(line.charge_cents for line in lines),
                billing_provider=billing[n % 20],
                subscriber=Subscriber(
                    member_id=f"M{n:08d}",
                    last_name="TESTER",
                    first_name="ANN",
                    birth_date=date(1980, 1, 2),
                    sex="F",
                    address=address,
                    group_number="GRP1",
                ),
                payer=payer,
                place_of_service="11",
                diagnosis_codes=("E119", "I10"),
                rendering_provider=rendering[n % 50],
                lines=lines,
            )
        )
    return made


def remittance(count: int) -> Remittance:
    """A balanced synthetic remittance."""
    made = []
    for n in range(count):
        lines = tuple(
            RemittanceLine(
                procedure_code="G0463",
                charge_cents=10_000 + n % 50,
                paid_cents=7_000,
                units_paid=Decimal(1),
                service_from=date(2026, 5, 1),
                adjustments=(Adjustment("CO", "45", 2_000 + n % 50), Adjustment("PR", "2", 1_000)),
                control_number=str(k + 1),
            )
            for k in range(2 + n % 3)
        )
        made.append(
            RemittanceClaim(
                claim_id=f"BENCH{n:07d}",
                status_code="1",
                charge_cents=sum(line.charge_cents for line in lines),
                paid_cents=7_000 * len(lines),
                patient_responsibility_cents=1_000 * len(lines),
                filing_code="12",
                payer_claim_control_number=f"P{n:08d}",
                facility_code="11",
                frequency_code="1",
                assigned_number="1",
                patient=Name(last_name="TESTER", first_name="ANN", id_qualifier="MI", id=f"M{n:08d}"),
                statement_from=date(2026, 5, 1),
                lines=lines,
            )
        )
    party = RemittanceParty(name="TEST PARTY", id_qualifier="XX", id=npi(1))
    return Remittance(
        envelope=ENVELOPE,
        transaction_control_number="0001",
        handling_code="I",
        paid_cents=sum(claim.paid_cents for claim in made),
        payment_method="CHK",
        payment_date=date(2026, 6, 10),
        trace_number="BENCH",
        payer_trace_id="1999999999",
        payer=party,
        payee=party,
        claims=tuple(made),
    )


def split_stream(data: bytes) -> int:
    """The floor: segments, then elements, nothing kept."""
    elements = 0
    for segment in data.decode("latin-1").split("~"):
        elements += len(segment.split("*"))
    return elements


def timed(work: Callable[[], object]) -> float:
    """Seconds of one run."""
    gc.collect()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def parse_837(data: bytes) -> int:
    """Read and balance every claim."""
    return sum(len(unbalanced(balance_837(claim))) for claim in iter_837p_claims(data))


def parse_835(data: bytes) -> int:
    """Read and balance every claim payment."""
    return sum(len(unbalanced(balance_835_claim(claim))) for claim in iter_835_claims(data))


def main() -> None:
    """Run every contender interleaved and print medians as claims per second and as ratio to the floor."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--claims", type=int, default=10_000)
    arguments.add_argument("--rounds", type=int, default=3)
    options = arguments.parse_args()
    records = claims(options.claims)
    professional, advice = build_837p(ENVELOPE, HEADER, records), build_835([remittance(options.claims)])
    contenders: dict[str, tuple[Callable[[], object], str]] = {
        "837 floor": (lambda: split_stream(professional), "837 floor"),
        "837 parse + balance": (lambda: parse_837(professional), "837 floor"),
        "837 validate": (lambda: validate(professional), "837 floor"),
        "837 generate": (lambda: build_837p(ENVELOPE, HEADER, records), "837 floor"),
        "835 floor": (lambda: split_stream(advice), "835 floor"),
        "835 parse + balance": (lambda: parse_835(advice), "835 floor"),
        "835 validate": (lambda: validate(advice), "835 floor"),
    }
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(options.rounds):
        for name, (work, _floor) in contenders.items():
            times[name].append(timed(work))
    sys.stdout.write(f"{options.claims} claims; 837 {len(professional) / 1e6:.2f} MB, 835 {len(advice) / 1e6:.2f} MB\n")
    for name, (_, floor) in contenders.items():
        median = statistics.median(times[name])
        ratio = statistics.median(times[floor]) / median
        sys.stdout.write(f"{name:22} {options.claims / median:10,.0f} claims/s   {ratio:5.2f} x floor\n")


if __name__ == "__main__":
    main()
