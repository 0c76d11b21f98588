"""The map of the UB-04: tables of data, one entry per box and per field.

Form locator numbers are those of the form; the labels are short words of our own, no text or artwork of the
printed form.
"""

from revcycle_edi.paper.layout import Box, Field, Form, Kind

LINES_PER_PAGE = 22
PAYERS = "ABC"
OTHER_DIAGNOSES = "ABCDEFGHIJKLMNOPQ"
CONDITION_CODES = 11
_FIRST_LINE = 18
_COLUMNS: tuple[tuple[str, str, int, int, Kind], ...] = (  # Locator, label, column, columns, kind
    ("42", "rev.", 0, 5, "text"),
    ("43", "description", 5, 25, "text"),
    ("44", "code, rate", 30, 15, "text"),
    ("45", "served", 45, 7, "text"),
    ("46", "units", 52, 8, "amount"),
    ("47", "total charge", 60, 11, "amount"),
    ("48", "not covered", 71, 10, "amount"),
    ("49", "", 81, 1, "text"),
)

_HEADER = (
    Box(0, 1, 25, 4, "1", "provider"),
    Box(25, 1, 25, 4, "2", "pay to"),
    Box(50, 1, 26, 1, "3a", "patient control"),
    Box(50, 2, 26, 1, "3b", "medical record"),
    Box(76, 1, 6, 2, "4", "type of bill"),
    Box(50, 3, 11, 2, "5", "federal tax id"),
    Box(61, 3, 15, 2, "6", "statement from, through"),
    Box(76, 3, 6, 2, "7"),
    Box(0, 5, 29, 2, "8", "patient: a id, b name"),
    Box(29, 5, 53, 2, "9", "patient's address: street, city, state, postal code"),
    Box(0, 7, 10, 2, "10", "birth date"),
    Box(10, 7, 3, 2, "11", "sex"),
    Box(13, 7, 8, 2, "12", "admitted"),
    Box(21, 7, 4, 2, "13", "hour"),
    Box(25, 7, 3, 2, "14", "type"),
    Box(28, 7, 3, 2, "15", "src"),
    Box(31, 7, 4, 2, "16", "d. hour"),
    Box(35, 7, 4, 2, "17", "status"),
    *(Box(39 + 3 * index, 7, 3, 2, str(18 + index), "cond.") for index in range(CONDITION_CODES)),
    Box(72, 7, 4, 2, "29", "acc."),
    Box(76, 7, 6, 2, "30"),
    *(Box(11 * index, 9, 11, 3, str(31 + index), "occurrence") for index in range(4)),
    *(Box(44 + 17 * index, 9, 17, 3, str(35 + index), "occurrence span") for index in range(2)),
    Box(78, 9, 4, 3, "37"),
    Box(0, 12, 40, 5, "38", "responsible party"),
    *(Box(40 + 14 * index, 12, 14, 5, str(39 + index), "value") for index in range(3)),
    *(Box(column, 17, columns, 1, number, label) for number, label, column, columns, _ in _COLUMNS),
)
_FOOTER = (
    Box(0, 41, 24, 4, "50", "payer"),
    Box(24, 41, 16, 4, "51", "plan id"),
    Box(40, 41, 3, 4, "52", "rel."),
    Box(43, 41, 3, 4, "53", "asg."),
    Box(46, 41, 11, 4, "54", "paid before"),
    Box(57, 41, 11, 4, "55", "due"),
    Box(68, 41, 14, 1, "56", "npi"),
    Box(68, 42, 14, 3, "57", "other id"),
    Box(0, 45, 26, 4, "58", "insured"),
    Box(26, 45, 3, 4, "59", "rel."),
    Box(29, 45, 21, 4, "60", "insured's id"),
    Box(50, 45, 15, 4, "61", "group name"),
    Box(65, 45, 17, 4, "62", "group number"),
    Box(0, 49, 30, 4, "63", "authorization"),
    Box(30, 49, 26, 4, "64", "document control"),
    Box(56, 49, 26, 4, "65", "employer"),
    Box(0, 53, 3, 3, "66", "icd"),
    *(
        Box(3 + 73 / 9 * place, 53, 73 / 9, 2, "67" + (" " + letter).rstrip())
        for place, letter in enumerate(["", *"ABCDEFGH"])
    ),
    *(Box(3 + 73 / 9 * place, 55, 73 / 9, 1, letter) for place, letter in enumerate("IJKLMNOPQ")),
    Box(76, 53, 6, 3, "68"),
    Box(0, 56, 12, 2, "69", "admitting"),
    Box(12, 56, 27, 2, "70", "reason for visit a to c"),
    Box(39, 56, 7, 2, "71", "drg"),
    Box(46, 56, 30, 2, "72", "external cause a to c"),
    Box(76, 56, 6, 2, "73"),
    *(
        Box(
            16 * (index % 3),
            58 + 2 * (index // 3),
            16,
            2,
            "74" if index == 0 else "74" + "abcde"[index - 1],
            "procedure",
        )
        for index in range(6)
    ),
    Box(48, 58, 34, 2, "76", "attending"),
    Box(48, 60, 34, 2, "77", "operating"),
    Box(48, 62, 34, 2, "78", "other"),
    Box(48, 64, 34, 2, "79", "other"),
    Box(0, 62, 26, 4, "80", "remarks"),
    Box(26, 62, 22, 4, "81", "code-code"),
)


def _provider(name: str, line: int) -> tuple[Field, ...]:
    """An identified provider: role, NPI and other identifier above, last and first name below."""
    return (
        Field(f"{name}.role", 53, line, 2),
        Field(f"{name}.npi", 56, line, 10, "id"),
        Field(f"{name}.other.qualifier", 67, line, 2),
        Field(f"{name}.other", 70, line, 11, "id"),
        Field(f"{name}.last", 49, line + 1, 19),
        Field(f"{name}.first", 69, line + 1, 12),
    )


def _diagnosis(index: int) -> tuple[Field, ...]:
    """The principal diagnosis (0) and A to H in one row, I to Q below, each with its present-on-admission indicator."""
    name, column = "67" + ("", *OTHER_DIAGNOSES)[index], 3.9 + 73 / 9 * (index % 9)
    return Field(name, column, 54 + index // 9, 6, "id"), Field(f"{name}.poa", column + 6.1, 54 + index // 9, 1)


def _payer(index: int) -> tuple[Field, ...]:
    letter = PAYERS[index]
    return (
        Field(f"50{letter}", 1, 42 + index, 22, "text", letter),
        Field(f"51{letter}", 25, 42 + index, 14, "id"),
        Field(f"52{letter}", 41, 42 + index, 1),
        Field(f"53{letter}", 44, 42 + index, 1),
        Field(f"54{letter}", 46, 42 + index, 10, "amount"),
        Field(f"55{letter}", 57, 42 + index, 10, "amount"),
        Field(f"57{letter}", 70, 42 + index, 11, "id"),
        Field(f"58{letter}", 1, 46 + index, 24),
        Field(f"59{letter}", 26.5, 46 + index, 2),
        Field(f"60{letter}", 30, 46 + index, 19, "id"),
        Field(f"61{letter}", 51, 46 + index, 13),
        Field(f"62{letter}", 66, 46 + index, 15, "id"),
        Field(f"63{letter}", 1, 50 + index, 28, "id"),
        Field(f"64{letter}", 31, 50 + index, 24, "id"),
    )


def _line(number: int) -> tuple[Field, ...]:
    """Service line 1 to 22; 23 holds the totals."""
    return tuple(
        Field(f"{locator}.{number}", column + 0.3, _FIRST_LINE + number - 1, columns - 1, kind)
        for locator, _, column, columns, kind in _COLUMNS
        if kind == "amount" or (kind == "text" and columns > 1)
    )


FORM = Form(
    title="UB-04",
    margin_points=10.0,
    boxes=(
        *_HEADER,
        *(
            Box(column, _FIRST_LINE + row, columns, 1, shaded=row % 2 == 1)
            for row in range(LINES_PER_PAGE + 1)
            for _, _, column, columns, _ in _COLUMNS
        ),
        *_FOOTER,
    ),
    fields=(
        *(Field(f"1.{row}", 1, 1 + row, 23) for row in range(1, 4)),
        *(Field(f"2.{row}", 26, 1 + row, 23) for row in range(1, 4)),
        Field("3a", 60, 1, 15, "id"),
        Field("3b", 60, 2, 15, "id"),
        Field("4", 77, 2, 4),
        Field("5", 51, 4, 9, "id"),
        Field("6.from", 61.5, 4, 6),
        Field("6.through", 69, 4, 6),
        Field("8a", 12, 5, 16, "id"),
        Field("8b", 1, 6, 27),
        Field("9a", 30, 6, 22),
        Field("9b", 53, 6, 13),
        Field("9c", 67, 6, 2),
        Field("9d", 70, 6, 10),
        Field("10", 1, 8, 8),
        Field("11", 11, 8, 1),
        Field("12", 14, 8, 6),
        Field("13", 22, 8, 2),
        Field("14", 26, 8, 1),
        Field("15", 29, 8, 1),
        Field("16", 32, 8, 2),
        Field("17", 36, 8, 2),
        *(Field(str(18 + index), 39.5 + 3 * index, 8, 2) for index in range(CONDITION_CODES)),
        Field("29", 73, 8, 2),
        *(
            field
            for index in range(4)
            for row in range(2)
            for field in (
                Field(f"{31 + index}{'ab'[row]}", 11 * index + 0.5, 10 + row, 2),
                Field(f"{31 + index}{'ab'[row]}.date", 11 * index + 4, 10 + row, 6),
            )
        ),
        *(
            field
            for index in range(2)
            for row in range(2)
            for field in (
                Field(f"{35 + index}{'ab'[row]}", 44.4 + 17 * index, 10 + row, 2),
                Field(f"{35 + index}{'ab'[row]}.from", 47.2 + 17 * index, 10 + row, 6),
                Field(f"{35 + index}{'ab'[row]}.through", 54.2 + 17 * index, 10 + row, 6),
            )
        ),
        *(
            field
            for index in range(3)
            for row in range(4)
            for field in (
                Field(f"{39 + index}{'abcd'[row]}", 40.5 + 14 * index, 13 + row, 2),
                Field(f"{39 + index}{'abcd'[row]}.amount", 43.5 + 14 * index, 13 + row, 10, "amount"),
            )
        ),
        *(field for number in range(1, LINES_PER_PAGE + 2) for field in _line(number)),
        Field("56", 71, 41, 10, "id"),
        *(field for index in range(len(PAYERS)) for field in _payer(index)),
        Field("66", 1, 54, 1),
        *(field for index in range(len(OTHER_DIAGNOSES) + 1) for field in _diagnosis(index)),
        Field("69", 1, 57, 8, "id"),
        *(Field(f"70{letter}", 13 + 9 * index, 57, 7, "id") for index, letter in enumerate("abc")),
        Field("71", 40, 57, 5),
        *(Field(f"72{letter}", 47 + 10 * index, 57, 7, "id") for index, letter in enumerate("abc")),
        *(Field(f"72{letter}.poa", 54.3 + 10 * index, 57, 1) for index, letter in enumerate("abc")),
        *(
            field
            for index in range(6)
            for name in ("74" + ("", *"abcde")[index],)
            for field in (
                Field(name, 16 * (index % 3) + 1, 59 + 2 * (index // 3), 7, "id"),
                Field(f"{name}.date", 16 * (index % 3) + 9, 59 + 2 * (index // 3), 6),
            )
        ),
        *_provider("76", 58),
        *_provider("77", 60),
        *_provider("78", 62),
        *_provider("79", 64),
        *(Field(f"80.{row}", 1, 62 + row, 24) for row in range(1, 4)),
        *(
            field
            for row, letter in enumerate("abc", 1)
            for field in (Field(f"81{letter}.qualifier", 27, 62 + row, 2), Field(f"81{letter}", 30, 62 + row, 12, "id"))
        ),
    ),
)
