"""Fuzz target of the MLLP deframer: however a stream is cut, the same messages come out and memory stays bounded.

Run through run.py.
"""

import sys

import atheris
from bounded import bounded

with atheris.instrument_imports(include=["revcycle_edi"]):
    from revcycle_edi.hl7 import Deframer, HL7Error

_LIMIT = 512


def _messages(data: bytes, piece: int) -> list[bytes] | None:
    """The messages, None when the limit was met."""
    deframer = Deframer(_LIMIT)
    found: list[bytes] = []
    try:
        for at in range(0, len(data), piece):
            found += deframer.feed(data[at : at + piece])
            if deframer.pending > _LIMIT:
                raise AssertionError("more is kept than the limit allows")
    except HL7Error:
        return None
    return found


def run_one(data: bytes) -> None:
    """One execution."""
    piece, data = 1 + (data[0] if data else 0) % 37, data[1:]
    whole, cut = _messages(data, max(len(data), 1)), _messages(data, piece)
    if cut is not None and whole is not None and whole != cut:
        raise AssertionError("the messages depend on how the stream was cut")
    if len(data) <= _LIMIT and (whole is None or cut is None):
        raise AssertionError("a short stream met the limit")


if __name__ == "__main__":
    atheris.Setup(sys.argv, bounded(run_one))
    atheris.Fuzz()
