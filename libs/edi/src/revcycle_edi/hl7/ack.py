"""Acknowledgments of HL7 v2 messages, original and enhanced mode, and the check that decides between them.

Original mode answers AA, AE (content or processing error) or AR (wrong type, version or processing id). Enhanced mode
(MSH-15 or MSH-16 valued) answers CA, CE, CR for the commit when MSH-15 asks for it, else AA, AE, AR when MSH-16 does,
else nothing: a sender takes an answer it did not ask for as one to something else, or never reads it.

The reply swaps sender and receiver, carries a control id of its own, echoes MSH-12 and names the message in MSA-2.
Send AA or CA only when the event is durably stored.
"""

import re
from datetime import datetime

import msgspec

from revcycle_edi.hl7.errors import HL7Error
from revcycle_edi.hl7.message import Encoding, Message, escape, parse_message

VERSIONS = frozenset(
    ("2.1", "2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.7.1", "2.8", "2.8.1", "2.8.2")
)
SUPPORTED_TYPES = frozenset(("ADT", "BAR", "DFT", "MDM", "ORU", "SIU"))

# Without these the views are empty: charges of nobody would be acknowledged and lost.
_REQUIRED = {"ADT": ("PID",), "BAR": ("PID",), "DFT": ("PID", "FT1"), "MDM": ("PID", "TXA"), "SIU": ("SCH",)}

# A view holds one patient and one merge: the results of a second would be filed to the first, a second merge be lost.
_OF_ONE_PATIENT = frozenset(("DFT", "MDM", "ORU"))
_MERGES = frozenset(("A34", "A40"))
# The field that tells whether a repeated segment is about the same patient.
_ONCE = {"PID": 3}
_ONCE_IN_MERGES = {"PID": 3, "MRG": 1}


class Problem(msgspec.Struct, frozen=True, gc=False):
    """Why a message is not accepted. reject is AR (it can never be processed), else AE; code is of table 0357."""

    code: str
    text: str
    location: str = ""
    reject: bool = False


def check_message(message: Message, *, types: frozenset[str] = SUPPORTED_TYPES) -> list[Problem]:
    """What makes a message unfit for processing: type, version, processing id, control id, its segments."""
    problems: list[Problem] = []
    if message.type not in types:
        problems.append(Problem("200", "unsupported message type", "MSH^1^9", reject=True))
    if message.version not in VERSIONS:
        problems.append(Problem("203", "unsupported version", "MSH^1^12", reject=True))
    if message.value(message.segments[0], 11).rstrip(" ") not in ("P", "T", "D"):
        problems.append(Problem("202", "unsupported processing id", "MSH^1^11", reject=True))
    if not message.control_id:
        problems.append(Problem("101", "no message control id", "MSH^1^10"))
    return problems + _segment_problems(message)


def _segment_problems(message: Message) -> list[Problem]:
    # A bed's status (A20) is the one ADT message about no patient.
    required = () if (message.type, message.event) == ("ADT", "A20") else _REQUIRED.get(message.type, ())
    once = _ONCE_IN_MERGES if message.event in _MERGES else _ONCE if message.type in _OF_ONE_PATIENT else {}
    names = [segment[0] for segment in message.segments]
    missing = [name for name in required if name not in names]
    several = [
        name
        for name, field in once.items()
        if names.count(name) > 1 and len({_raw(segment, field) for segment in message.all(name)}) > 1
    ]
    if not missing and not several:
        return []
    return [Problem("100", f"a message of this type without {name}", name) for name in missing] + [
        Problem("100", f"more than one {name}: send a message for each", f"{name}^2") for name in several
    ]


def is_enhanced(message: Message) -> bool:
    """Whether the sender asks for enhanced mode (MSH-15 or MSH-16)."""
    return bool(_condition(message, 15) or _condition(message, 16))


def _condition(message: Message, field: int) -> str:
    """A condition of table 0155; a null (`""`) or blanks are none."""
    msh = message.segments[0]
    if field >= len(msh):
        return ""
    value = message.value(msh, field).strip()
    return "" if value == '""' else value


def _is_met(condition: str, *, successful: bool) -> bool:
    # What is no code of table 0155 is answered: a sender that waits in vain sends again for ever.
    return condition not in ("", "NE", "ER" if successful else "SU")


def wants_accept(message: Message, *, successful: bool) -> bool:
    """Whether the sender wants an accept acknowledgment: always in original mode, else as MSH-15 says."""
    return not is_enhanced(message) or _is_met(_condition(message, 15), successful=successful)


def wants_application(message: Message, *, successful: bool) -> bool:
    """Whether the sender wants an application acknowledgment in enhanced mode (MSH-16)."""
    return _is_met(_condition(message, 16), successful=successful)


def build_ack(
    message: Message,
    *,
    control_id: str,
    now: datetime,
    problems: list[Problem] | None = None,
    application: bool = False,
) -> bytes:
    """The acknowledgment of a message. application asks for AA/AE/AR in enhanced mode too."""
    problems = problems or []
    letter = "A" if application or not is_enhanced(message) else "C"
    verdict = "R" if any(p.reject for p in problems) else "E" if problems else "A"
    msh = message.segments[0]
    e = message.encoding
    fields = [
        "MSH",
        e.field,
        e.component + e.repetition + e.escape + e.subcomponent,
        _raw(msh, 5),
        _raw(msh, 6),
        _raw(msh, 3),
        _raw(msh, 4),
        f"{now:%Y%m%d%H%M%S%z}",
        "",
        e.component.join(["ACK", escape(message.event, e), "ACK"]) if message.version >= "2.5" else "ACK",
        escape(control_id, e),
        _raw(msh, 11) or "P",
        _raw(msh, 12),
    ]
    segments = [fields, ["MSA", letter + verdict, escape(message.control_id, e)]]
    if problems and message.version < "2.5":
        segments[1].append(escape(problems[0].text, e))
    for problem in problems if message.version >= "2.5" else []:
        code = e.component.join([problem.code, escape(problem.text, e), "HL70357"])
        segments.append(["ERR", "", problem.location.replace("^", e.component), code, "E"])
    return Message(segments, e, message.charset).encode()


def _raw(segment: list[str], field: int) -> str:
    return segment[field] if field < len(segment) else ""


def acknowledge(data: bytes, *, control_id: str, now: datetime, types: frozenset[str] = SUPPORTED_TYPES) -> bytes:
    """Answer one message as it arrived: AA/CA when fit for processing, else AE or AR; never raises on bad input.

    Empty when the sender wants no answer to this outcome (MSH-15 and MSH-16).
    """
    try:
        message = parse_message(data)
    except HL7Error as error:
        problem = Problem("100", error.message, reject=True)
        header = _header(data)
        if header is None:
            return _unreadable(control_id, now, problem)
        return _asked_for(header, control_id, now, [problem])
    return _asked_for(message, control_id, now, check_message(message, types=types))


def _asked_for(message: Message, control_id: str, now: datetime, problems: list[Problem]) -> bytes:
    application = not wants_accept(message, successful=not problems)
    if application and not wants_application(message, successful=not problems):
        return b""
    return build_ack(message, control_id=control_id, now=now, problems=problems, application=application)


def _header(data: bytes) -> Message | None:
    """The MSH alone of what cannot be read as a whole, so that the sender is told which message was meant."""
    line = re.split(rb"[\r\n\x0b\x1c]", data.lstrip(b"\x0b\r\n \t"), maxsplit=1)[0]
    try:
        return parse_message(line)
    except HL7Error:
        return None


def _unreadable(control_id: str, now: datetime, problem: Problem) -> bytes:
    e = Encoding()
    header = [
        "MSH",
        "|",
        "^~\\&",
        "",
        "",
        "",
        "",
        f"{now:%Y%m%d%H%M%S%z}",
        "",
        "ACK",
        escape(control_id, e),
        "P",
        "2.5",
    ]
    error = ["ERR", "", "", f"{problem.code}^{escape(problem.text, e)}^HL70357", "E"]
    return Message([header, ["MSA", "AR", ""], error], e, "utf-8").encode()


class Acknowledgment(msgspec.Struct, frozen=True, gc=False):
    """What an ACK says: its code (AA, AE, AR, CA, CE, CR), the control id it answers, and the error text."""

    code: str
    control_id: str
    text: str = ""

    @property
    def accepted(self) -> bool:
        """The message was taken."""
        return self.code in ("AA", "CA")


def parse_ack(data: bytes) -> Acknowledgment:
    """Read an ACK. HL7Error when it is none."""
    message = parse_message(data)
    msa = message.first("MSA")
    if not msa:
        raise HL7Error("the answer has no MSA", expected="MSH and MSA")
    err = message.first("ERR")
    return Acknowledgment(
        message.value(msa, 1), message.value(msa, 2), message.value(err, 3, 2) or message.text(msa, 3)
    )
