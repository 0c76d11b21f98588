"""HCPCS Level II codes for demonstrations and tests: real codes with their real intervals, labels in our own words.

Intervals are half-open and were compared with the public file of July 2024.
"""

from datetime import date

from msgspec import Struct


class DemoCode(Struct, frozen=True):
    """A code in force on `valid_from <= day < valid_to` (`None`: open)."""

    code: str
    label: str
    valid_from: date
    valid_to: date | None = None


HCPCS_DEMO: tuple[DemoCode, ...] = (
    DemoCode("A4550", "Surgical tray", date(1982, 1, 1)),
    DemoCode("A4565", "Arm sling", date(1983, 1, 1)),
    DemoCode("A4570", "Splint", date(1982, 1, 1)),
    DemoCode("A6402", "Sterile gauze, small", date(1997, 1, 1)),
    DemoCode("E0114", "Underarm crutches, pair", date(1986, 1, 1)),
    DemoCode("G0008", "Giving an influenza vaccine", date(1994, 1, 1)),
    DemoCode("G0009", "Giving a pneumococcal vaccine", date(1994, 1, 1)),
    DemoCode("G0010", "Giving a hepatitis B vaccine", date(1994, 1, 1)),
    DemoCode("G0101", "Pelvic and breast examination, cancer screening", date(1998, 1, 1)),
    DemoCode("G0102", "Rectal examination, prostate screening", date(2000, 1, 1)),
    DemoCode("G0103", "Prostate antigen test, screening", date(2000, 1, 1)),
    DemoCode("G0108", "Diabetes self-management training, one person", date(1998, 7, 1)),
    DemoCode("G0109", "Diabetes self-management training, group", date(1998, 7, 1)),
    DemoCode("G0270", "Nutrition therapy after a change, one person", date(2003, 1, 1)),
    DemoCode("G0296", "Visit to decide about lung screening", date(2015, 2, 5)),
    DemoCode("G0402", "Welcome-to-Medicare preventive visit", date(2009, 1, 1)),
    DemoCode("G0436", "Tobacco counselling, short, no symptoms", date(2011, 1, 1), date(2016, 10, 1)),
    DemoCode("G0437", "Tobacco counselling, long, no symptoms", date(2011, 1, 1), date(2016, 10, 1)),
    DemoCode("G0438", "Yearly wellness visit, first", date(2011, 1, 1)),
    DemoCode("G0439", "Yearly wellness visit, later", date(2011, 1, 1)),
    DemoCode("G0442", "Yearly alcohol misuse screening", date(2011, 10, 14)),
    DemoCode("G0443", "Alcohol misuse, brief counselling", date(2011, 10, 14)),
    DemoCode("G0444", "Yearly depression screening", date(2011, 10, 14)),
    DemoCode("G0445", "Counselling to prevent sexually transmitted infection", date(2011, 11, 8)),
    DemoCode("G0446", "Counselling for cardiovascular risk", date(2011, 11, 8)),
    DemoCode("G0447", "Counselling for obesity, quarter hour", date(2011, 11, 29)),
    DemoCode("G0463", "Hospital outpatient clinic visit", date(2014, 1, 1)),
    DemoCode("G0466", "Health-centre visit, new patient", date(2014, 10, 1)),
    DemoCode("G0467", "Health-centre visit, known patient", date(2014, 10, 1)),
    DemoCode("G0468", "Health-centre visit, preventive", date(2014, 10, 1)),
    DemoCode("G2211", "Add-on for an ongoing care relationship", date(2021, 1, 1)),
    DemoCode("J0171", "Epinephrine injection, small unit", date(2011, 1, 1)),
    DemoCode("J0561", "Long-acting penicillin G injection", date(2011, 1, 1)),
    DemoCode("J0696", "Ceftriaxone injection, 250 mg unit", date(1990, 1, 1)),
    DemoCode("J1010", "Methylprednisolone acetate injection, 1 mg unit", date(2024, 4, 1)),
    DemoCode("J1020", "Methylprednisolone acetate injection, 20 mg", date(1982, 1, 1), date(2024, 4, 1)),
    DemoCode("J1030", "Methylprednisolone acetate injection, 40 mg", date(1982, 1, 1), date(2024, 4, 1)),
    DemoCode("J1040", "Methylprednisolone acetate injection, 80 mg", date(1982, 1, 1), date(2024, 4, 1)),
    DemoCode("J1100", "Dexamethasone injection, 1 mg unit", date(1982, 1, 1)),
    DemoCode("J1885", "Ketorolac injection, 15 mg unit", date(1993, 1, 1)),
    DemoCode("J3301", "Triamcinolone injection, 10 mg unit", date(1991, 1, 1)),
    DemoCode("J3420", "Vitamin B12 injection", date(1986, 1, 1)),
    DemoCode("J7613", "Albuterol for a nebuliser, 1 mg unit", date(2005, 1, 1)),
    DemoCode("J7620", "Albuterol with ipratropium for a nebuliser", date(2006, 1, 1)),
    DemoCode("L1830", "Knee immobiliser, ready made", date(1986, 1, 1)),
    DemoCode("L1902", "Ankle gauntlet, ready made", date(1988, 1, 1)),
    DemoCode("L3908", "Wrist cock-up splint, ready made", date(1986, 1, 1)),
    DemoCode("Q0091", "Taking a screening Pap smear", date(1992, 1, 1)),
    DemoCode("Q0111", "Wet mount", date(1994, 1, 1)),
    DemoCode("Q0112", "Potassium hydroxide preparation", date(1994, 1, 1)),
    DemoCode("Q3014", "Telehealth, fee of the originating site", date(2001, 10, 1)),
    DemoCode("T1002", "Registered nurse, quarter hour", date(2001, 7, 1)),
    DemoCode("T1013", "Interpreter, quarter hour", date(2001, 7, 1)),
    DemoCode("T1015", "Clinic encounter, all services included", date(2002, 1, 1)),
    DemoCode("T1016", "Case management, quarter hour", date(2002, 7, 1)),
)
