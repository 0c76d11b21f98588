"""Element values: amounts in cents, quantities, dates and times, read and written by hand. No floats anywhere."""

from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache

from revcycle_edi.x12.errors import X12Error

_MAX_DIGITS = 18
_MAX_WHOLE_DIGITS = 16
"""Of an amount: with its cents it then fits into the 64 bits of databases and of JSON numbers."""
_FRACTIONS = ("", *(f".{rest:02d}".rstrip("0") for rest in range(1, 100)))


@lru_cache(maxsize=16_384)
def parse_cents(text: str) -> int:
    """Read an amount such as `150`, `150.5`, `-12.30` or `.5` as cents. X12Error when it is not one."""
    whole, point, fraction = text.partition(".")
    if whole.isdecimal() and text.isascii() and len(text) <= _MAX_WHOLE_DIGITS:
        if not point:
            return int(whole) * 100
        if len(fraction) == 2 and fraction.isdecimal():
            return int(whole + fraction)
    sign = 1
    if whole[:1] == "-":
        sign, whole = -1, whole[1:]
    digits = whole + fraction
    too_long = len(digits) > _MAX_DIGITS or len(whole) > _MAX_WHOLE_DIGITS
    if not digits.isdecimal() or not digits.isascii() or too_long or fraction[2:].strip("0"):
        raise X12Error("x12.amount", "not an amount", expected="digits with at most two decimals, no sign but minus")
    return sign * (int(whole or "0") * 100 + int((fraction + "00")[:2]))


def parse_optional_cents(text: str) -> int | None:
    """Read an amount that may be absent."""
    return parse_cents(text) if text else None


@lru_cache(maxsize=16_384)
def format_cents(cents: int) -> str:
    """Write cents as X12 wants an amount: no trailing zeros, no leading zeros, `-` for negative ones."""
    sign = "-" if cents < 0 else ""
    whole, rest = divmod(abs(cents), 100)
    return f"{sign}{whole or ('' if rest else '0')}{_FRACTIONS[rest]}"


@lru_cache(maxsize=4096)
def parse_quantity(text: str) -> Decimal:
    """Read a quantity as a normalized Decimal (`1.50` is 1.5). X12Error when it is not one."""
    digits = text.removeprefix("-").replace(".", "", 1)
    if not digits.isdecimal() or not digits.isascii() or len(digits) > _MAX_DIGITS:
        raise X12Error("x12.quantity", "not a quantity", expected="digits with at most one decimal point")
    return normal_quantity(Decimal(text))


def parse_optional_quantity(text: str) -> Decimal | None:
    """Read a quantity that may be absent."""
    return parse_quantity(text) if text else None


def normal_quantity(quantity: Decimal) -> Decimal:
    """The quantity without trailing zeros and without exponent."""
    normal = quantity.normalize()
    return normal if normal.as_tuple().exponent in range(-30, 1) else normal.quantize(Decimal(1))


@lru_cache(maxsize=4096)
def format_quantity(quantity: Decimal) -> str:
    """Write a quantity without trailing zeros, leading zeros or exponent."""
    if not quantity.is_finite():
        raise X12Error("x12.quantity", "not a finite quantity")
    text = format(quantity, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    negative = text.startswith("-")
    text = text.lstrip("-").lstrip("0") or "0"
    return ("-" if negative and text != "0" else "") + text


def read_date(text: str) -> date:
    """Read CCYYMMDD, not remembered: for birth dates, which hardly repeat. X12Error when it is no calendar date."""
    if len(text) == 8 and text.isdecimal() and text.isascii():
        try:
            return date.fromisoformat(text)
        except ValueError:
            pass
    raise X12Error("x12.date", "not a calendar date", expected="CCYYMMDD")


parse_date = lru_cache(maxsize=8192)(read_date)
"""Read CCYYMMDD, remembered. X12Error when it is no calendar date."""


def parse_optional_date(text: str) -> date | None:
    """Read a date that may be absent."""
    return parse_date(text) if text else None


def parse_period(qualifier: str, text: str) -> tuple[date, date | None]:
    """Read a date (D8) or a period (RD8, CCYYMMDD-CCYYMMDD)."""
    if qualifier == "RD8":
        start, dash, end = text.partition("-")
        if not dash:
            raise X12Error("x12.date", "not a period", expected="CCYYMMDD-CCYYMMDD")
        return parse_date(start), parse_date(end)
    return parse_date(text[:8]), None


@lru_cache(maxsize=8192)
def format_date(value: date) -> str:
    """Write CCYYMMDD."""
    return f"{value.year:04d}{value.month:02d}{value.day:02d}"


def format_period(start: date, end: date | None) -> tuple[str, str]:
    """Qualifier and text of a date, or of a period when an end is given."""
    if end is None:
        return "D8", format_date(start)
    return "RD8", f"{format_date(start)}-{format_date(end)}"


def parse_timestamp(day: str, time: str) -> datetime:
    """Read YYMMDD or CCYYMMDD with HHMM, HHMMSS or HHMMSSDD as UTC. X12Error when it is none."""
    if len(day) == 6:
        day = "20" + day
    start = parse_date(day)
    if not time:
        return datetime(start.year, start.month, start.day, tzinfo=UTC)
    if not (time.isdecimal() and time.isascii()) or len(time) not in (4, 6, 7, 8):
        raise X12Error("x12.time", "not a time", expected="HHMM, HHMMSS or HHMMSSDD")
    hour, minute, second = int(time[:2]), int(time[2:4]), int(time[4:6] or "0")
    try:
        return datetime(start.year, start.month, start.day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        raise X12Error("x12.time", "not a time of day", expected="HHMM, HHMMSS or HHMMSSDD") from None


def parse_integer(text: str, *, digits: int = 10) -> int:
    """Read a count or a control number. X12Error when it is not digits alone."""
    if text.isdecimal() and text.isascii() and len(text) <= digits:
        return int(text)
    raise X12Error("x12.number", "not a whole number", expected=f"1 to {digits} digits")
