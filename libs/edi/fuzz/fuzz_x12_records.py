"""Fuzz target of what stands on the X12 reader: bytes end in records, findings and answers, an account, or X12Error.

The first byte chooses what is asked of the rest. Run through run.py.
"""

import sys
from datetime import UTC, date, datetime

import atheris
from bounded import bounded

with atheris.instrument_imports(include=["revcycle_edi"]):
    from revcycle_edi import x12
    from revcycle_edi.x12.records import Envelope

_HEADER = b"ISA*00*          *00*          *ZZ*SENDER         *ZZ*RECEIVER       *260601*1230*^*00501*000000009*0*T*:~"
_GROUPS = (
    (b"GS*HC*S*R*20260601*1230*9*X*005010X222A1~ST*837*0001*005010X222A1~", x12.parse_837p),
    (b"GS*HC*S*R*20260601*1230*9*X*005010X223A2~ST*837*0001*005010X223A2~", x12.parse_837i),
    (b"GS*HP*S*R*20260601*1230*9*X*005010X221A1~ST*835*0001~", x12.parse_835),
    (b"GS*FA*S*R*20260601*1230*9*X*005010X231A1~ST*999*0001*005010X231A1~", x12.parse_999),
    (b"GS*HN*S*R*20260601*1230*9*X*005010X214~ST*277*0001*005010X214~", x12.parse_277ca),
    (b"GS*HB*S*R*20260601*1230*9*X*005010X279A1~ST*271*0001*005010X279A1~", x12.parse_271),
    (b"GS*PI*S*R*20260601*1230*9*X*006020X314~ST*275*0001*006020X314~", x12.parse_275),
)
_END = b"~SE*4*0001~GE*1*9~IEA*1*000000009~"


_ENVELOPE = Envelope(
    sender_id="RECEIVER", receiver_id="SENDER", control_number=1, created_at=datetime(2026, 6, 1, tzinfo=UTC)
)


def _answer(data: bytes) -> None:
    """Findings, and the answers they deserve: whatever arrives can be answered."""
    findings = x12.validate(data)
    try:
        told = x12.acknowledge(data, findings, _ENVELOPE, received=date(2026, 6, 1))
        for records, build in (
            (told.interchanges, x12.build_ta1),
            (told.groups, x12.build_999),
            (told.claims, x12.build_277ca),
        ):
            if records:
                build(records)
    except x12.X12Error as error:
        raise AssertionError("an input that cannot be answered") from error


def run_one(data: bytes) -> None:
    """One execution."""
    choice, data = data[0] if data else 0, data[1:]
    opening, parse = _GROUPS[choice % len(_GROUPS)]
    if choice & 0x80:
        data = _HEADER + opening + data + _END
    try:
        if choice & 0x40:
            _answer(data)
        elif choice & 0x20:
            for _ in x12.explain(data):
                pass
        else:
            parse(data)
    except x12.X12Error:
        pass


if __name__ == "__main__":
    atheris.Setup(sys.argv, bounded(run_one))
    atheris.Fuzz()
