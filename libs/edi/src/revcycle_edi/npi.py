"""National Provider Identifier check digit (45 CFR 162.406: ISO 7812 Luhn over the prefix 80840 and the ten digits)."""

from functools import lru_cache

_PREFIX_SUM = 24  # What the constant prefix 80840 contributes to the Luhn sum.


def npi_check_digit(first_nine: str) -> str:
    """Return the tenth digit for the first nine digits of an NPI. ValueError when they are not nine digits."""
    if len(first_nine) != 9 or not (first_nine.isascii() and first_nine.isdecimal()):
        raise ValueError("an NPI starts with exactly nine digits")
    total = _PREFIX_SUM
    for index, char in enumerate(first_nine):
        digit = int(char)
        if index % 2 == 0:
            digit *= 2
            if digit > 9:
                digit -= 9
        total += digit
    return str(-total % 10)


def is_valid_npi(npi: str) -> bool:
    """Say whether npi has ten digits, starts with 1 or 2 and ends with the right check digit."""
    return len(npi) == 10 and _is_valid(npi)


@lru_cache(maxsize=8192)
def _is_valid(npi: str) -> bool:
    if not (npi.isascii() and npi.isdecimal()) or npi[0] not in "12":
        return False
    return npi_check_digit(npi[:9]) == npi[9]
