"""MLLP framing: 0x0B message 0x1C 0x0D, incremental and bounded. Pure: bytes in, messages out."""

from revcycle_edi.hl7.errors import HL7Error

START, END = b"\x0b", b"\x1c\r"


def frame(message: bytes) -> bytes:
    """A message in its frame. HL7Error when it holds framing bytes itself."""
    if START in message or b"\x1c" in message:
        raise HL7Error("the message holds an MLLP framing byte", expected="no 0x0B and no 0x1C in the text")
    return START + message + END


class Deframer:
    """Cuts a byte stream into messages; several may arrive in one piece and one in many pieces.

    Bytes between frames are skipped and counted in `skipped`. A message longer than limit raises HL7Error, once the
    messages before it are handed out: the next feed, even of nothing, meets it. A message broken off by the start of
    the next one comes out as soon as that start is seen, with its 0x0B in front: answered (parse_message refuses it,
    so with AR), never taken for a whole one or joined with its neighbour.
    """

    def __init__(self, limit: int = 16 * 1024 * 1024) -> None:
        self._buffer = bytearray()
        self._limit = limit
        self._searched = 0
        self._overlong = False
        self.skipped = 0

    @property
    def pending(self) -> int:
        """Bytes of an unfinished message."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes and return the messages they complete."""
        messages: list[bytes] = []
        self._buffer += b"" if self._overlong else data
        position = 0
        while True:
            start = self._buffer.find(START, position)
            if start < 0:
                self.skipped += len(self._buffer) - position
                position = len(self._buffer)
                break
            self.skipped += start - position
            end = self._buffer.find(END, max(start + 1, self._searched))
            if end < 0:
                position = start
                break
            *broken, whole = bytes(self._buffer[start + 1 : end]).split(START)
            messages += [START + part for part in broken]
            position = end + len(END)
            if len(whole) > self._limit:
                self._overlong = True
                break
            messages.append(whole)
        if not self._overlong:
            position = self._hand_out_broken(position, messages)
        del self._buffer[:position]
        # A terminator may be split over two pieces: search again from the last byte.
        self._searched = max(0, len(self._buffer) - 1)
        if self._overlong or len(self._buffer) > self._limit:
            self._overlong = True
            self._buffer.clear()
        if self._overlong and not messages:
            raise HL7Error(f"a frame is longer than {self._limit} bytes", expected="0x1C 0x0D at the end of a message")
        return messages

    def _hand_out_broken(self, position: int, messages: list[bytes]) -> int:
        """Hand out what was broken off before the last start; kept, a flood of starts would grow to a million at once.

        position is where the unfinished message begins; returns where the last one does.
        """
        last = self._buffer.rfind(START, max(position + 1, self._searched))
        if last < 0:
            return position
        messages += [START + part for part in bytes(self._buffer[position + 1 : last]).split(START)]
        return last
