"""Faults a test can plan: each a name and how many more times it happens."""

from collections.abc import Mapping

SILENT_AFTER_BYTES = "silent_after_bytes"
SILENT_BEFORE_BYTES = "silent_before_bytes"
ANSWER_TWICE = "answer_twice"
PEND_ALL = "pend_all"
UNBALANCED_835 = "unbalanced_835"
MALFORMED_ANSWER = "malformed_answer"
UNKNOWN_CLAIM_835 = "unknown_claim_835"

FAULT_NAMES: tuple[str, ...] = (
    SILENT_AFTER_BYTES,
    SILENT_BEFORE_BYTES,
    ANSWER_TWICE,
    PEND_ALL,
    UNBALANCED_835,
    MALFORMED_ANSWER,
    UNKNOWN_CLAIM_835,
)
_MOST = 1_000_000


class Faults:
    """Counters that go down by one each time their fault happens."""

    def __init__(self, counts: Mapping[str, object] | None = None) -> None:
        self._counts = dict.fromkeys(FAULT_NAMES, 0)
        self.plan(counts or {})

    def plan(self, counts: Mapping[str, object]) -> None:
        """Set counts by name, all or none. Raises ValueError that names the fault and what would be right."""
        for name, count in counts.items():
            if name not in self._counts:
                raise ValueError(f"unknown fault {name!r}: use one of {', '.join(FAULT_NAMES)}")
            if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count <= _MOST:
                raise ValueError(f"fault {name!r}: the count is a whole number from 0 to {_MOST}")
            self._counts[name] = count

    def take(self, name: str) -> bool:
        """Whether the fault happens now; if so it is used up by one."""
        if self._counts[name] == 0:
            return False
        self._counts[name] -= 1
        return True

    def remaining(self) -> dict[str, int]:
        """How often each fault is still going to happen."""
        return dict(self._counts)
