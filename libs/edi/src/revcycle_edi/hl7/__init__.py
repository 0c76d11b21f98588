"""HL7 v2: tokenizer, typed views, acknowledgments and MLLP framing (streams are in revcycle_edi.hl7.streams)."""

from revcycle_edi.hl7.ack import Acknowledgment, Problem, acknowledge, build_ack, check_message, parse_ack
from revcycle_edi.hl7.errors import HL7Error
from revcycle_edi.hl7.message import Encoding, Message, escape, parse_message, unescape
from revcycle_edi.hl7.mllp import Deframer, frame

__all__ = [
    "Acknowledgment",
    "Deframer",
    "Encoding",
    "HL7Error",
    "Message",
    "Problem",
    "acknowledge",
    "build_ack",
    "check_message",
    "escape",
    "frame",
    "parse_ack",
    "parse_message",
    "unescape",
]
