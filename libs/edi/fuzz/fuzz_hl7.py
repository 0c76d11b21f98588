"""Fuzz target of the HL7 v2 reader: any bytes end in a message or HL7Error, views and answers never fail on a message.

Run through run.py.
"""

import sys
from datetime import UTC, datetime

import atheris
from bounded import bounded

with atheris.instrument_imports(include=["revcycle_edi"]):
    from revcycle_edi import hl7
    from revcycle_edi.hl7 import views

_NOW = datetime(2026, 6, 1, tzinfo=UTC)
_ANSWERS = frozenset(("AA", "AE", "AR", "CA", "CE", "CR"))
_VIEWS = (views.adt, views.charges, views.document, views.results, views.appointment)


def run_one(data: bytes) -> None:
    """One execution."""
    choice, data = data[0] if data else 0, data[1:]
    if choice & 0x80:
        data = b"MSH|^~\\&|" + data
    if choice & 0x40:
        answer = hl7.acknowledge(data, control_id="A1", now=_NOW)
        if answer and hl7.parse_ack(answer).code not in _ANSWERS:
            raise AssertionError("an answer with a code of its own")
        return
    try:
        message = hl7.parse_message(data)
    except hl7.HL7Error:
        return
    _VIEWS[choice % len(_VIEWS)](message)
    again = hl7.parse_message(message.encode())
    if message.charset == "utf-8" and again.segments != message.segments:
        raise AssertionError("what was read is not what is written back")


if __name__ == "__main__":
    atheris.Setup(sys.argv, bounded(run_one))
    atheris.Fuzz()
