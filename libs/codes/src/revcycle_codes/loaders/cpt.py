"""CPT text files of a licensed operator. Nothing of CPT is bundled; without a licence every text is dropped."""

import re

from revcycle_codes.loaders.layout import LayoutError, text_of
from revcycle_codes.table import BILLABLE, CodeRow

_CODE = re.compile(r"[0-9]{4}[0-9A-Z]")
_STANDARD_TEXT, _SHORT_TEXT, _MEDIUM_LENGTH = 8, 6, 106


def read_cpt(content: bytes, *, licensed: bool) -> list[CodeRow]:
    """Code list of a `LONGULF`, `LONGULT`, `SHORTU` or `MEDU` file, told apart by its first code line.

    Each file begins with a copyright banner. In the fixed long form (code 1-5, sequence 6-7, text 9-80) continuation
    lines repeat the code. `licensed` False keeps the numbers and drops every text. Raises LayoutError.
    """
    lines = text_of(content).splitlines()
    first = next((number for number, line in enumerate(lines) if _is_code_line(line)), None)
    if first is None:
        raise LayoutError("CPT file", "code", "is missing: no line begins with a procedure code")
    fixed_long = lines[first][5:7].isdecimal() and lines[first][7:8] == " "
    texts: dict[str, str] = {}
    for number, line in enumerate(lines[first:], start=first + 1):
        if not line.strip():
            continue
        if not _is_code_line(line):
            raise LayoutError("CPT file", "code", f"is missing in line {number}")
        code = line[:5]
        text = _text(line, fixed_long)
        texts[code] = f"{texts[code]} {text}" if code in texts else text
    return [CodeRow(code, text if licensed else "", BILLABLE) for code, text in texts.items()]


def _is_code_line(line: str) -> bool:
    return _CODE.fullmatch(line[:5]) is not None and (len(line) == 5 or not line[5:6].isalpha())


def _text(line: str, fixed_long: bool) -> str:
    if "\t" in line:
        return line.partition("\t")[2].strip()
    return line[_STANDARD_TEXT if fixed_long else _SHORT_TEXT :][:_MEDIUM_LENGTH].strip()
