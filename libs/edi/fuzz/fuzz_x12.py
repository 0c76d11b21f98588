"""Fuzz target of the X12 reader: any bytes end in segments or X12Error, and what is read is written back.

The first byte chooses how the rest is cut into pieces and whether it stands behind a header. Run through run.py.
"""

import sys

import atheris
from bounded import bounded

with atheris.instrument_imports(include=["revcycle_edi"]):
    from revcycle_edi.x12.errors import X12Error
    from revcycle_edi.x12.reader import Limits, emit, emit_stream, parse_document

_HEADER = b"ISA*00*          *00*          *ZZ*SENDER         *ZZ*RECEIVER       *260601*1230*^*00501*000000009*0*T*:~"
_ATTACHMENTS = _HEADER + b"GS*PI*S*R*20260601*1230*9*X*006020X314~"
_END = b"~IEA*1*000000009~"
_OPENINGS = (b"", b"", _HEADER, _ATTACHMENTS)
_LIMITS = Limits(segment_chars=256, binary_bytes=256, segments=200, interchanges=5)


def run_one(data: bytes) -> None:
    """One execution."""
    choice, data = data[0] if data else 0, data[1:]
    opening = _OPENINGS[choice & 0x03]
    if opening:
        data = opening + data + _END
    piece = 16 + (choice >> 3) * 7
    try:
        if choice & 0x04:
            written = emit(parse_document(data, _LIMITS))
        else:
            written = b"".join(emit_stream([data[i : i + piece] for i in range(0, len(data), piece)], _LIMITS))
    except X12Error:
        return
    if written != data:
        raise AssertionError("what was read is not what is written back")


if __name__ == "__main__":
    atheris.Setup(sys.argv, bounded(run_one))
    atheris.Fuzz()
