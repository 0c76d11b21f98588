"""The levels of a hierarchy (HL) in one transaction: numbers, parents, and what HL04 says of levels below."""

from revcycle_edi.x12.validation.context import Collector, Place

_PARENTS: dict[str, set[str]] = {
    "20": {""},
    "21": {"20"},
    "19": {"21", "20"},
    "22": {"20", "21", "19"},
    "23": {"22"},
    "PT": {"19"},
    "EV": {"22", "23", "19", "1P"},
    "SS": {"EV"},
}


_PARENTS_OF: dict[str, dict[str, set[str]]] = {
    "837": {"22": {"20"}},
    "270": {"22": {"21"}},
    "271": {"22": {"21"}},
    "276": {"19": {"21"}, "22": {"19"}},
    "277": {"19": {"21"}, "22": {"19"}},
}


class Levels:
    """Checks the HL segments of one transaction as they pass."""

    def __init__(self, transaction_type: str, out: Collector) -> None:
        self._out = out
        self._parents = _PARENTS | _PARENTS_OF.get(transaction_type, {})
        self._hl = 0
        self._levels: dict[str, str] = {}
        self._childless: dict[str, Place] = {}
        self._leaves: set[str] = set()

    def check(self, loop: str, e: list[str]) -> None:
        """HL01 counts from 1; HL02 names an earlier level that may have this one below it."""
        self._hl += 1
        out = self._out
        if e[1] != str(self._hl):
            out.add(
                "999.hl.sequence",
                "HL numbers are not in sequence",
                codes=("IK304:8", "IK403:7"),
                expected=f"HL*{self._hl}",
                element="01",
            )
        parent = self._levels.get(e[2])
        allowed = self._parents.get(e[3])
        if (e[2] and parent is None) or (allowed is not None and (parent or "") not in allowed):
            expected = (
                "the HL01 of a level " + " or ".join(sorted(a for a in allowed or () if a))
                if e[2] or allowed != {""}
                else "no parent"
            )
            out.add(
                "999.hl.parent",
                "the parent of this level is wrong",
                codes=("IK304:8", "IK403:7"),
                expected=expected,
                element="02",
            )
        self._levels[e[1]] = e[3]
        self._child(e)

    def _child(self, e: list[str]) -> None:
        """HL04 says whether levels follow below: 1 asks for one, 0 allows none."""
        if self._childless:
            self._childless.pop(e[2], None)
        if e[2] in self._leaves:
            self._out.add(
                "999.hl.child",
                "the level above says that none follows below it",
                codes=("IK304:8", "IK403:7"),
                expected="HL04 1 in the level above",
                element="02",
            )
        if e[4] == "1":
            self._childless[e[1]] = self._out.place.copy()
        elif e[4] == "0":
            self._leaves.add(e[1])

    def finish(self) -> None:
        """Name the levels that announced one below them which never came."""
        for place in self._childless.values():
            self._out.add(
                "999.hl.child",
                "the level says that one follows below it, and none does",
                codes=("IK304:8", "IK403:7"),
                expected="HL04 0, or the level below",
                element="04",
                at=place,
            )
