"""The map of the CMS-1500 (02/12): tables of data, one entry per box and per field.

Box numbers are those of the form; the labels are short words of our own, no text or artwork of the printed form.
"""

from revcycle_edi.paper.layout import Box, Field, Form

LINES_PER_PAGE = 6
DIAGNOSES = "ABCDEFGHIJKL"
COVERAGES = ("medicare", "medicaid", "tricare", "champva", "group", "feca", "other")
_FIRST_SERVICE_LINE = 45

_BOXES = (
    Box(0, 7, 49, 2, "1", "coverage"),
    Box(49, 7, 31, 2, "1a", "insured's id"),
    Box(0, 9, 28, 2, "2", "patient's name"),
    Box(28, 9, 21, 2, "3", "patient's birth date, sex"),
    Box(49, 9, 31, 2, "4", "insured's name"),
    Box(0, 11, 28, 2, "5", "patient's street"),
    Box(28, 11, 21, 2, "6", "patient is the insured's"),
    Box(49, 11, 31, 2, "7", "insured's street"),
    Box(0, 13, 24, 2, "5", "city"),
    Box(24, 13, 4, 2, "5", "state"),
    Box(28, 13, 21, 4, "8", "reserved"),
    Box(49, 13, 26, 2, "7", "city"),
    Box(75, 13, 5, 2, "7", "state"),
    Box(0, 15, 13, 2, "5", "postal code"),
    Box(13, 15, 15, 2, "5", "phone"),
    Box(49, 15, 13, 2, "7", "postal code"),
    Box(62, 15, 18, 2, "7", "phone"),
    Box(0, 17, 28, 2, "9", "other insured's name"),
    Box(28, 17, 21, 2, "10", "condition caused by"),
    Box(49, 17, 31, 2, "11", "insured's group or policy"),
    Box(0, 19, 28, 2, "9a", "other policy or group"),
    Box(28, 19, 21, 2, "10a", "employment"),
    Box(49, 19, 31, 2, "11a", "insured's birth date, sex"),
    Box(0, 21, 28, 2, "9b", "reserved"),
    Box(28, 21, 21, 2, "10b", "car accident, state"),
    Box(49, 21, 31, 2, "11b", "other claim id"),
    Box(0, 23, 28, 2, "9c", "reserved"),
    Box(28, 23, 21, 2, "10c", "other accident"),
    Box(49, 23, 31, 2, "11c", "insured's plan"),
    Box(0, 25, 28, 2, "9d", "other plan"),
    Box(28, 25, 21, 2, "10d", "condition codes"),
    Box(49, 25, 31, 2, "11d", "another plan"),
    Box(0, 27, 49, 4, "12", "patient allows release"),
    Box(49, 27, 31, 4, "13", "insured assigns payment"),
    Box(0, 31, 28, 2, "14", "onset or last period"),
    Box(28, 31, 21, 2, "15", "other date"),
    Box(49, 31, 31, 2, "16", "unable to work from, to"),
    Box(0, 33, 28, 2, "17", "referring, ordering or supervising"),
    Box(28, 33, 21, 1, "17a"),
    Box(28, 34, 21, 1, "17b"),
    Box(49, 33, 31, 2, "18", "in hospital from, to"),
    Box(0, 35, 49, 2, "19", "more about the claim"),
    Box(49, 35, 31, 2, "20", "outside lab, charges"),
    Box(0, 37, 49, 6, "21", "diagnoses"),
    Box(49, 37, 31, 3, "22", "resubmission code, original number"),
    Box(49, 40, 31, 3, "23", "authorization"),
    Box(0, 43, 18, 2, "24A", "served from, to"),
    Box(18, 43, 3, 2, "24B", "pos"),
    Box(21, 43, 2, 2, "24C"),
    Box(23, 43, 20, 2, "24D", "procedure, modifiers"),
    Box(43, 43, 5, 2, "24E", "diagnosis"),
    Box(48, 43, 10, 2, "24F", "charge"),
    Box(58, 43, 5, 2, "24G", "units"),
    Box(63, 43, 3, 2, "24H"),
    Box(66, 43, 3, 2, "24I"),
    Box(69, 43, 11, 2, "24J", "rendering"),
    Box(0, 57, 20, 2, "25", "tax id"),
    Box(20, 57, 15, 2, "26", "patient's account"),
    Box(35, 57, 12, 2, "27", "accepts assignment"),
    Box(47, 57, 12, 2, "28", "total charge"),
    Box(59, 57, 11, 2, "29", "paid"),
    Box(70, 57, 10, 2, "30", "reserved"),
    Box(0, 59, 22, 6, "31", "provider's signature"),
    Box(22, 59, 27, 5, "32", "place of service"),
    Box(22, 64, 12, 1, "32a"),
    Box(34, 64, 15, 1, "32b"),
    Box(49, 59, 31, 5, "33", "billing provider"),
    Box(49, 64, 12, 1, "33a"),
    Box(61, 64, 19, 1, "33b"),
)
_LINE_BOXES = ((0, 18), (18, 3), (21, 2), (23, 20), (43, 5), (48, 10), (58, 5), (63, 3), (66, 3), (69, 11))


def _date(name: str, column: float, line: int, *, long: bool = False) -> tuple[Field, ...]:
    """Month, day and year each in their own place; a long date has a year of four digits."""
    return (
        Field(f"{name}.month", column, line, 2),
        Field(f"{name}.day", column + 3, line, 2),
        Field(f"{name}.year", column + 6, line, 4 if long else 2),
    )


def _marks(line: int, *marks: tuple[str, float, str]) -> tuple[Field, ...]:
    """X marks: (name, column, label right of the square)."""
    return tuple(Field(name, column, line, 1, "mark", label) for name, column, label in marks)


def _yes_no(name: str, column: float, line: int) -> tuple[Field, ...]:
    return _marks(line, (f"{name}.yes", column, "yes"), (f"{name}.no", column + 5, "no"))


_FIELDS = (
    Field("payer.name", 40, 1, 38),
    Field("payer.street", 40, 2, 38),
    Field("payer.city", 40, 3, 38),
    *_marks(8, *((f"1.{name}", 1 + 7 * index, name) for index, name in enumerate(COVERAGES))),
    Field("1a", 50, 8, 29, "id"),
    Field("2", 1, 10, 27),
    *_date("3", 29, 10, long=True),
    *_marks(10, ("3.M", 41, "m"), ("3.F", 45, "f")),
    Field("4", 50, 10, 29),
    Field("5.street", 1, 12, 27),
    *_marks(
        12, ("6.self", 29, "self"), ("6.spouse", 34, "spouse"), ("6.child", 39.5, "child"), ("6.other", 44.5, "other")
    ),
    Field("7.street", 50, 12, 29),
    Field("5.city", 1, 14, 23),
    Field("5.state", 25, 14, 2),
    Field("7.city", 50, 14, 24),
    Field("7.state", 76, 14, 2),
    Field("5.postal", 1, 16, 11),
    Field("5.phone", 14, 16, 13),
    Field("7.postal", 50, 16, 11),
    Field("7.phone", 63, 16, 16),
    Field("9", 1, 18, 27),
    Field("11", 50, 18, 29, "id"),
    Field("9a", 1, 20, 27, "id"),
    *_yes_no("10a", 31, 20),
    *_date("11a", 52, 20, long=True),
    *_marks(20, ("11a.M", 67, "m"), ("11a.F", 73, "f")),
    *_yes_no("10b", 31, 22),
    Field("10b.state", 44, 22, 2),
    Field("11b", 50, 22, 29, "id"),
    *_yes_no("10c", 31, 24),
    Field("11c", 50, 24, 29),
    Field("9d", 1, 26, 27),
    Field("10d", 29, 26, 19, "id"),
    *_yes_no("11d", 52, 26),
    Field("12", 6, 29, 30),
    Field("13", 53, 29, 25),
    *_date("14", 2, 32),
    Field("14.qualifier", 15, 32, 3),
    Field("15.qualifier", 30, 32, 3),
    *_date("15", 37, 32),
    *_date("16.from", 52, 32),
    *_date("16.to", 67, 32),
    Field("17.qualifier", 1, 34, 2),
    Field("17", 4, 34, 23),
    Field("17a.qualifier", 31, 33, 2),
    Field("17a", 34, 33, 14, "id"),
    Field("17b", 34, 34, 10, "id"),
    *_date("18.from", 52, 34),
    *_date("18.to", 67, 34),
    Field("19", 1, 36, 47),
    *_yes_no("20", 52, 36),
    Field("20.charge", 64, 36, 11, "amount"),
    Field("21.indicator", 44, 37, 1, "text", "icd"),
    *(
        Field(f"21.{letter}", 3 + 12 * (index % 4), 39 + index // 4, 8, "id", letter)
        for index, letter in enumerate(DIAGNOSES)
    ),
    Field("22.code", 50, 39, 1),
    Field("22.original", 61, 39, 18, "id"),
    Field("23", 50, 42, 29, "id"),
    Field("25", 1, 58, 11, "id"),
    *_marks(58, ("25.ssn", 13, "ssn"), ("25.ein", 16.5, "ein")),
    Field("26", 21, 58, 14, "id"),
    *_yes_no("27", 36, 58),
    Field("28", 48, 58, 10, "amount"),
    Field("29", 60, 58, 9, "amount"),
    Field("31", 1, 63, 20),
    Field("32.name", 23, 60, 26),
    Field("32.street", 23, 61, 26),
    Field("32.city", 23, 62, 26),
    Field("32a", 24, 64, 10, "id"),
    Field("32b", 36, 64, 13, "id"),
    Field("33.phone", 65, 59, 14),
    Field("33.name", 50, 60, 29),
    Field("33.street", 50, 61, 29),
    Field("33.city", 50, 62, 29),
    Field("33a", 51, 64, 10, "id"),
    Field("33b", 63, 64, 16, "id"),
)


def _service_line(number: int) -> tuple[Field, ...]:
    """The fields of service line 1 to 6: the shaded half above, the other below."""
    upper = _FIRST_SERVICE_LINE + 2 * (number - 1)
    lower, name = upper + 1, f"24.{number}"
    modifiers = (Field(f"{name}.D.modifier{index + 1}", 30 + 3 * index, lower, 2) for index in range(4))
    return (
        Field(f"{name}.shaded", 1, upper, 61),
        *_date(f"{name}.A.from", 0.3, lower),
        *_date(f"{name}.A.to", 9.3, lower),
        Field(f"{name}.B", 18.5, lower, 2),
        Field(f"{name}.C", 21.5, lower, 1),
        Field(f"{name}.D", 23.5, lower, 6),
        *modifiers,
        Field(f"{name}.E", 43.5, lower, 4),
        Field(f"{name}.F", 47.6, lower, 10, "amount"),
        Field(f"{name}.G", 57.6, lower, 5, "amount"),
        Field(f"{name}.H", 64, lower, 1),
        Field(f"{name}.I", 66.5, upper, 2),
        Field(f"{name}.J.other", 69.4, upper, 10, "id"),
        Field(f"{name}.J", 69.4, lower, 10, "id"),
    )


FORM = Form(
    title="CMS-1500 (02/12)",
    margin_points=18.0,
    boxes=(
        *_BOXES,
        *(
            Box(column, _FIRST_SERVICE_LINE + 2 * row + half, columns, 1, shaded=half == 0)
            for row in range(LINES_PER_PAGE)
            for half in (0, 1)
            for column, columns in (_LINE_BOXES if half else ((0, 63), (63, 3), (66, 3), (69, 11)))
        ),
    ),
    fields=(*_FIELDS, *(field for number in range(1, LINES_PER_PAGE + 1) for field in _service_line(number))),
)
