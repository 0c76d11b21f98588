"""Violating cases of the rules over tables and facts: rule, severity, and what differs from a clean visit."""

from datetime import date
from typing import Any

import msgspec
from revcycle_codes import EvaluationFacts, LineFacts, PatientFacts, Setting
from revcycle_codes.facts import DrgFacts, HistoryLine, PeerMeasure

IN_FORCE = date(2026, 8, 15)


def line(code: str, number: int = 1, **changes: object) -> LineFacts:
    return msgspec.structs.replace(LineFacts(line_number=number, code=code, diagnosis_pointers=(1,)), **changes)


def lines(*codes: str, **changes: object) -> tuple[LineFacts, ...]:
    return tuple(line(code, number, **changes) for number, code in enumerate(codes, start=1))


SURGERY = HistoryLine(code="G0011", date_of_service=date(2026, 5, 17), group_npi="1", specialty="s")
SAME: dict[str, Any] = {"group_npi": "1", "specialty": "s"}
BORN: dict[str, Any] = {"patient": PatientFacts(birth_date=date(1970, 1, 1), sex="F")}
STRONG = EvaluationFacts(life_threatening_problems=1, hospitalisation_decision=True)
OUTLIER: dict[str, Any] = {
    "name": "share of top levels",
    "trials": 400,
    "peers": 30,
    "peer_mean_ppm": 200_000,
    "peer_90th_ppm": 300_000,
}
INPATIENT: dict[str, Any] = {"setting": Setting.INPATIENT, "discharge_date": IN_FORCE, "present_on_admission": ("Y",)}


VIOLATIONS: list[tuple[str, str, dict[str, Any]]] = [
    ("DX-03", "error", {"diagnoses": ("S83.411",)}),
    ("DX-03", "error", {"diagnoses": ("S83.411Q",)}),
    ("DX-03", "warning", {"diagnoses": ("S83.411A", "Z47.89")}),
    ("DX-04", "warning", {"diagnoses": ("M25.561", "M25.569")}),
    ("DX-04", "error", {"diagnoses": ("M25.561",), "lines": (line("G0463", modifiers=("LT",)),)}),
    ("DX-04", "warning", {"diagnoses": ("M25.569",), "lines": (line("G0463", modifiers=("LT",)),)}),
    ("DX-04", "warning", {"diagnoses": ("M25.569",), "note_sides": {"M25.569": "left"}}),
    ("DX-05", "error", {"diagnoses": ("H42", "E11.9")}),
    ("DX-05", "error", {"diagnoses": ("G31.01", "I10")}),
    ("DX-06", "warning", {"diagnoses": ("N18.30", "I12.9")}),
    ("DX-06", "info", {"diagnoses": ("H42",)}),
    ("DX-09", "error", {"diagnoses": ("Z91.81",), **INPATIENT}),
    ("DX-09", "warning", {"diagnoses": ("I10",), **INPATIENT}),
    ("DX-09", "error", {"diagnoses": ("E11.9", "E11.9"), **INPATIENT}),
    ("DX-10", "error", {"diagnoses": ("P07.00",), **BORN}),
    ("DX-10", "error", {"diagnoses": ("I10",), "patient": PatientFacts(birth_date=date(1961, 8, 15), sex="F")}),
    ("DX-11", "warning", {"diagnoses": ("N40.0",), **BORN}),
    ("DX-12", "error", {"note_diagnoses_uncertain": ("I10",)}),
    ("DX-13", "warning", {"diagnoses": ("J18.9", "R05.9")}),
    ("DX-14", "warning", {"diagnoses": ("I10", "I50.9")}),
    ("DX-14", "warning", {"diagnoses": ("E11.9", "N18.30")}),
    ("DX-15", "warning", {"diagnoses": ("C50.911", "Z85.3")}),
    ("DX-16", "error", {"diagnoses": ("I10",), **INPATIENT, "present_on_admission": ()}),
    ("DX-16", "error", {"diagnoses": ("I10", "Z91.81"), **INPATIENT, "present_on_admission": ("Y", "Y")}),
    ("DX-17", "info", {"diagnoses": ("F17.200", "J45.909")[1:]}),
    ("PX-01P", "warning", {"lines": lines("G0013")}),
    ("PX-02", "error", {"lines": lines("G0001", "G0002")}),
    ("PX-02", "error", {"lines": lines("G0002", "G0001")}),
    ("PX-02", "error", {"lines": (line("G0001"), line("G0002", 2, modifiers=("59",)))}),
    ("PX-02", "error", {"lines": lines("G0001", "G0003")}),
    ("PX-02", "warning", {"lines": (line("G0001"), line("G0003", 2, modifiers=("XS",)))}),
    ("PX-02", "error", {"lines": lines("G0001", "G0004"), "date_of_service": date(2026, 8, 15)}),
    ("PX-02", "error", {"lines": lines("G0001", "G0004"), "date_of_service": date(2026, 9, 1)}),
    ("PX-03", "warning", {"lines": (line("G0463"), line("T1015", 2, modifiers=("59",)))}),
    ("PX-04", "error", {"lines": (line("Q0001", units=3),)}),
    ("PX-04", "error", {"lines": lines("Q0002", "Q0002", "Q0002")}),
    ("PX-04", "error", {"lines": (line("Q0002", units=2), line("Q0002", 2, modifiers=("76",)))}),
    ("PX-04", "warning", {"lines": (line("Q0003", units=3),)}),
    ("PX-04", "error", {"lines": lines("Q0004")}),
    ("PX-05", "error", {"lines": lines("A0001", "G0463")}),
    ("PX-05", "error", {"lines": (line("G0001"), line("A0001", 2, modifiers=("51",)))}),
    ("PX-05", "warning", {"lines": lines("A0002")}),
    ("PX-05", "warning", {"lines": lines("A0003")}),
    ("PX-06", "error", {"lines": lines("T0001"), "history": (SURGERY,), **SAME}),
    ("PX-06", "warning", {"lines": lines("G0010"), "history": (SURGERY,), **SAME}),
    ("PX-07", "error", {"lines": (line("G0013", modifiers=("50",)),)}),
    ("PX-07", "error", {"lines": (line("G0012", modifiers=("50",), units=2),)}),
    ("PX-08", "error", {"lines": (line("G0010", modifiers=("26",)),)}),
    ("PX-08", "warning", {"lines": lines("G0012"), "place_of_service": "22"}),
    ("PX-09", "error", {"lines": (line("G0013", modifiers=("80",)),)}),
    ("PX-09", "warning", {"lines": (line("G0010", modifiers=("80",)),)}),
    ("PX-09", "warning", {"lines": (line("G0012", modifiers=("62",)),)}),
    ("PX-10", "info", {"lines": lines("G0012", "G0011")}),
    ("PX-12", "warning", {"lines": lines("T0006")}),
    ("PX-13", "warning", {"lines": lines("G0102"), **BORN}),
    ("PX-14", "error", {"lines": lines("T0005"), "history": (SURGERY,), **SAME}),
    ("PX-15", "warning", {"lines": lines("J0171"), "date_of_service": date(2026, 8, 15)}),
    ("PX-15", "warning", {"lines": lines("Q0111")}),
    ("PX-15", "error", {"lines": lines("J1010"), "payer_id": "P1"}),
    ("PX-15", "error", {"lines": (line("G0463", modifiers=("GA", "GZ")),)}),
    ("PX-16", "error", {"lines": lines("G0463"), "setting": Setting.OUTPATIENT_HOSPITAL}),
    ("MN-01", "warning", {"lines": lines("G0020"), "diagnoses": ("E11.9",)}),
    ("MN-01", "error", {"lines": lines("G0020"), "diagnoses": ("E11.9",), "payer_id": "P1"}),
    ("MN-01", "error", {"lines": lines("G0020"), "diagnoses": ("Z00.00",)}),
    ("MN-01", "warning", {"lines": lines("G0021")}),
    ("MN-01", "warning", {"lines": lines("G0022"), "diagnoses": ("E11.9",), "contractor": "111"}),
    ("EM-01", "warning", {"lines": lines("T0003"), "evaluation": EvaluationFacts(self_limited_problems=1)}),
    ("EM-01", "info", {"lines": lines("T0002"), "evaluation": STRONG}),
    ("EM-01", "warning", {"lines": lines("T0003"), "evaluation": EvaluationFacts(total_minutes=29)}),
    ("EM-02", "info", {"lines": lines("T0001"), "evaluation": EvaluationFacts()}),
    ("EM-03", "warning", {"lines": lines("T0001", "G0010")}),
    ("UP-01", "info", {"peer_measures": (PeerMeasure(hits=200, **OUTLIER),)}),
    (
        "UP-02",
        "warning",
        {
            "lines": lines("G0001", "G0003"),
            "peer_measures": (PeerMeasure(hits=300, peer_95th_ppm=350_000, pair=("G0001", "G0003"), **OUTLIER),),
        },
    ),
    ("UP-03", "warning", {"drg": DrgFacts(drg="291", without={"N17.9": "293", "I10": "291"})}),
]
