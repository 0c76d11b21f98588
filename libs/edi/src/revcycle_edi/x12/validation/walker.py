"""Walks a transaction through its guide: every segment finds its place in the loops or is reported.

Transitions between places are worked out once per guide and kept by segment id and qualifier; a segment that was found
clean in a place is known there by its text, so that it costs one dictionary lookup when it comes again.
"""

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import TypeAlias

from revcycle_edi.x12.cursor import PADDING
from revcycle_edi.x12.guides.model import DISCRIMINATORS, UNBOUNDED, Guide, Loop, SegmentUse
from revcycle_edi.x12.validation.context import Collector
from revcycle_edi.x12.validation.elements import diagnose, relations

_KNOWN_SEGMENTS = 2048
_KNOWN_CHARS = 120
_Item: TypeAlias = SegmentUse | Loop
Handler = Callable[[str, list[str]], None]
"""Takes a segment: the loop it belongs to, empty when it has no place, and its elements, padded."""
ENVELOPES = frozenset(("ISA", "IEA", "GS*", "ST*", "SE*", "GE*", "GS", "ST", "SE", "GE"))
"""How the segments of the envelope begin."""
_ENDS = frozenset(("ST", "SE"))
_SELDOM_EQUAL = frozenset(("CLM", "HL", "N3", "N4", "DMG", "CLP", "TRN", "REF")) | _ENDS
"""Segments that hardly ever come twice with the same text: not worth remembering, as names of patients are not.

That ST and SE are among them lets walk() look at what it knows before it looks for the end of the transaction.
"""
_PATIENTS = frozenset(("IL", "QC"))
_LOOP_STARTS = frozenset(("NM1", "N1", "LX", "HL", "SBR", "LIN", "SVD", "TRN", "CLM", "CLP", "SVC"))
_RESTARTS = frozenset(("HL", "CLM", "LX", "CLP", "SVC", "SE"))


class _Plan:
    """A loop prepared for walking: a bit per item, the bits of what it must contain, its places slot by slot."""

    __slots__ = ("bits", "loop", "places", "required")

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        items = [item for slot in loop.slots for item in slot]
        self.bits = {id(item): 1 << number for number, item in enumerate(items)}
        self.required = sum(self.bits[id(item)] for item in loop.required_items)
        self.places = [_Spot(slot) for slot in range(len(loop.slots) + 1)]


class _Spot:
    """A slot of a loop with the transitions known from it, and the texts known to be clean behind them.

    likely is the transition of the last text that is not worth remembering: the next one is mostly of the same kind.
    """

    __slots__ = ("clean", "likely", "slot", "steps")

    def __init__(self, slot: int) -> None:
        self.slot = slot
        self.steps: dict[str, _Step] = {}
        self.likely: _Step | None = None
        self.clean: dict[str, tuple[_Step, list[str]]] = {}

    def remember(self, text: str, step: "_Step", padded: list[str]) -> None:
        """Keep what a clean text was found to be, or only its kind when it will hardly come again."""
        if step.recurs:
            self.likely = step
        elif step.repeats and len(text) <= _KNOWN_CHARS:
            if len(self.clean) >= _KNOWN_SEGMENTS:
                self.clean.clear()
            self.clean[text] = step, padded


class _Entry:
    """A loop to enter: its plan, and how it counts in the loop around it."""

    __slots__ = ("bit", "item", "maximum", "plan")

    def __init__(self, item: _Item, bit: int, plan: _Plan | None) -> None:
        self.item = item
        self.bit = bit
        self.maximum = item.maximum
        self.plan = plan


class _Step:
    """A resolved transition: close `pops` loops, go to `spot` of the loop then open, enter `path`, match `use`."""

    __slots__ = (
        "bit",
        "fits",
        "id",
        "loop",
        "pairs",
        "path",
        "pops",
        "recurs",
        "repeats",
        "spot",
        "stays",
        "use",
        "used",
    )

    def __init__(self, pops: int, spot: _Spot, path: tuple[tuple[_Entry, _Plan], ...], use: _Entry) -> None:
        self.pops = pops
        self.spot = spot
        self.path = path
        self.used = use
        assert isinstance(use.item, SegmentUse)
        self.use: SegmentUse = use.item
        self.bit = use.bit
        self.fits = self.use.pattern.fullmatch
        self.id = use.item.id
        self.loop = use.item.loop
        self.stays = not pops and not path
        self.pairs = [itemgetter(*relation.elements) for relation in use.item.relations]
        self.repeats = self.use.id not in _SELDOM_EQUAL and not (
            self.use.id == "NM1" and self.use.qualifiers & _PATIENTS
        )
        self.recurs = not self.repeats and self.id not in _ENDS and _is_told_by_pattern(self.use)

    def complete(self, padded: list[str]) -> bool:
        """Whether all elements are there that a syntax note names, so that none can be broken."""
        return all("" not in pick(padded) for pick in self.pairs)


class _Frame:
    """One open loop: which slot was reached, what was seen, and how often what came more than once."""

    __slots__ = ("counts", "plan", "seen", "spot")

    def __init__(self, plan: _Plan) -> None:
        self.plan = plan
        self.spot = plan.places[0]
        self.seen = 0
        self.counts: dict[int, int] | None = None


class GuideMemory:
    """What walking one guide has taught: bounded by the guide and by the texts kept, shared by all transactions."""

    def __init__(self, guide: Guide) -> None:
        self.guide = guide
        self._plans: dict[int, _Plan] = {}

    def plan(self, loop: Loop) -> _Plan:
        """The loop prepared for walking."""
        found = self._plans.get(id(loop))
        if found is None:
            found = self._plans[id(loop)] = _Plan(loop)
        return found


def _of_likely_kind(spot: _Spot, text: str) -> tuple[_Step, list[str]] | None:
    """The transition and the padded elements of a clean text that is of the same kind as the last one met here."""
    step = spot.likely
    if step is None or step.fits(text) is None:
        return None
    padded = text.split("*") + PADDING
    return (step, padded) if not step.pairs or step.complete(padded) else None


def _matches(use: SegmentUse, segment_id: str, qualifier: str) -> bool:
    return use.id == segment_id and (not use.qualifiers or qualifier in use.qualifiers)


def _is_told_by_pattern(use: SegmentUse) -> bool:
    """Whether every text that fits the pattern of a use has the one qualifier that leads to this use."""
    index = DISCRIMINATORS.get(use.id)
    if index is None:
        return True
    element = use.elements[index - 1]
    return element.kind == "code" and element.required and not element.repeats and len(element.codes) == 1


def _find_in(loop: Loop, slot: int, segment_id: str, qualifier: str) -> tuple[int, tuple[Loop, ...], SegmentUse] | None:
    """First place in a loop from a slot on; a child loop is entered through its trigger."""
    for index in range(slot, len(loop.slots)):
        for item in loop.slots[index]:
            if isinstance(item, SegmentUse):
                if _matches(item, segment_id, qualifier):
                    return index, (), item
            elif _matches(item.trigger, segment_id, qualifier):
                return index, (item,), item.trigger
    return None


class Walker:
    """The state of one transaction. handlers, by segment id, are shown every segment behind its findings here."""

    def __init__(self, memory: GuideMemory, out: Collector, handlers: Mapping[str, Handler]) -> None:
        self._memory = memory
        self._out = out
        self._handlers = handlers
        self._frames = [_Frame(memory.plan(memory.guide.root))]
        self._lost = False

    def walk(self, segments: list[str], index: int) -> int:
        """Take segments, written with standard delimiters, from an index on up to the next one of the envelope.

        Returns the index of that one.
        """
        place, frames, handlers = self._out.place, self._frames, self._handlers
        for number in range(index, len(segments)):
            text = segments[number]
            frame = frames[-1]
            spot = frame.spot
            known = spot.clean.get(text) or _of_likely_kind(spot, text)
            if known is None:
                if text[:3] in ENVELOPES:
                    return number
                place.index, place.text = number, text
                use, e = self._meet(text, text.split("*"))
                name, loop = e[0], "" if use is None else use.loop
            else:
                place.index, place.text = number, text
                step, e = known
                self._lost = False
                if step.stays and not frame.seen & step.bit:
                    frame.spot = step.spot
                    frame.seen |= step.bit
                else:
                    self._move(step)
                name = step.id
                place.loop = loop = step.loop
            handler = handlers.get(name)
            if handler is not None:
                handler(loop, e)
        return len(segments)

    def feed(self, text: str, elements: list[str] | None = None) -> SegmentUse | None:
        """Take one segment; elements are needed only when splitting it needs care.

        Returns the use the guide makes of it, None when it has no place.
        """
        self._out.place.text = text
        use, e = self._meet(text, text.split("*") if elements is None else elements)
        handler = self._handlers.get(e[0])
        if handler is not None:
            handler("" if use is None else use.loop, e)
        return use

    def _meet(self, text: str, segment: list[str]) -> tuple[SegmentUse | None, list[str]]:
        """Find the transition of a text that is not known in this place, judge it, remember it when it is clean.

        Returns the use the guide makes of it, None when it has no place, and its elements, padded.
        """
        segment_id = key = segment[0]
        index = DISCRIMINATORS.get(segment_id)
        qualifier = ""
        if index is not None and index < len(segment):
            qualifier = segment[index]
            if ":" in qualifier:
                qualifier = qualifier.partition(":")[0]
            key = f"{segment_id}*{qualifier}"
        spot = self._frames[-1].spot
        step = spot.steps.get(key)
        if step is None:
            step = self._resolve(segment_id, qualifier)
            if step is None:
                self._unknown(segment_id, qualifier)
                return None, segment + PADDING
            spot.steps[key] = step
        self._lost = False
        self._move(step)
        use, out, padded = step.use, self._out, segment + PADDING
        out.place.loop = step.loop
        if step.fits(text) is None:
            diagnose(use, segment, out)
        elif not step.pairs or step.complete(padded) or relations(use, segment, out):
            spot.remember(text, step, padded)
        return use, padded

    def _resolve(self, segment_id: str, qualifier: str) -> _Step | None:
        for pops in range(len(self._frames)):
            frame = self._frames[-1 - pops]
            loop = frame.plan.loop
            found = _find_in(loop, frame.spot.slot, segment_id, qualifier)
            if found is not None and not (not found[1] and found[2] is loop.trigger and loop.id):
                return self._step(pops, frame.plan, found)
        return None

    def _step(self, pops: int, plan: _Plan, found: tuple[int, tuple[Loop, ...], SegmentUse]) -> _Step:
        slot, loops, use = found
        spot = plan.places[slot]
        path: list[tuple[_Entry, _Plan]] = []
        for loop in loops:
            inner = self._memory.plan(loop)
            path.append((_Entry(loop, plan.bits[id(loop)], inner), inner))
            plan = inner
        return _Step(pops, spot, tuple(path), _Entry(use, plan.bits[id(use)], None))

    def _move(self, step: _Step) -> None:
        frames = self._frames
        if step.pops:
            for _ in range(step.pops):
                frame = frames.pop()
                if frame.seen & frame.plan.required != frame.plan.required:
                    self._incomplete(frame)
        frame = frames[-1]
        frame.spot = step.spot
        for entry, plan in step.path:
            if frame.seen & entry.bit:
                self._again(frame, entry)
            frame.seen |= entry.bit
            frame = _Frame(plan)
            frames.append(frame)
        used = step.used
        if frame.seen & used.bit:
            self._again(frame, used)
        frame.seen |= used.bit

    def _again(self, frame: _Frame, entry: _Entry) -> None:
        """An item comes a second time or more often."""
        if entry.maximum == UNBOUNDED:
            return
        if frame.counts is None:
            frame.counts = {}
        count = frame.counts[entry.bit] = frame.counts.get(entry.bit, 1) + 1
        if count == entry.maximum + 1:
            item = entry.item
            loop = item if isinstance(item, Loop) else None
            around = frame.plan.loop.id
            code = "4" if loop is not None else "5"
            what = f"loop {loop.id}" if loop is not None else "this segment"
            message = f"{what} occurs too often"
            expected = f"at most {item.maximum} in loop {around or 'transaction'}"
            out = self._out
            rule = f"999.segment.{code}"
            out.add(rule, message, codes=(f"IK304:{code}",), expected=expected, loop=loop.id if loop else around)

    def _incomplete(self, frame: _Frame) -> None:
        """A loop ends without something it must contain."""
        for item in frame.plan.loop.required_items:
            if not frame.seen & frame.plan.bits[id(item)]:
                self._missing(frame.plan.loop, item)

    def _missing(self, parent: Loop, item: _Item) -> None:
        use = item if isinstance(item, SegmentUse) else item.trigger
        code = "3" if isinstance(item, SegmentUse) else "I7"
        what = f"segment {use.id}" if isinstance(item, SegmentUse) else f"loop {item.id}"
        qualifiers = "|".join(sorted(use.qualifiers)[:6])
        expected = f"{use.id}*{qualifiers}" if qualifiers else use.id
        loop = use.loop or parent.id
        message = f"required {what} is missing before this segment"
        rule = f"999.segment.{code.lower()}"
        self._out.add(rule, message, codes=(f"IK304:{code}",), expected=expected, loop=loop, segment=use.id)

    def _unknown(self, segment_id: str, qualifier: str) -> None:
        if self._lost and segment_id not in _RESTARTS:
            return  # What follows an unplaceable loop start belongs to it: one finding is enough.
        self._lost = segment_id in _LOOP_STARTS
        if segment_id not in self._memory.guide.segment_ids:
            code, message = "1", "a segment the guide does not know"
        elif self._elsewhere(segment_id, qualifier):
            code, message = "7", "a segment that is out of place or out of order here"
        else:
            code, message = "2", "an unexpected segment: no use of it here has this qualifier"
        self._out.add(f"999.segment.{code}", message, codes=(f"IK304:{code}",), expected=self._expected())

    def _elsewhere(self, segment_id: str, qualifier: str) -> bool:
        def known(loop: Loop) -> bool:
            for slot in loop.slots:
                for item in slot:
                    if known(item) if isinstance(item, Loop) else _matches(item, segment_id, qualifier):
                        return True
            return False

        return known(self._memory.guide.root)

    def _expected(self) -> str:
        """The next segments the guide allows here, shortened."""
        names: list[str] = []
        for frame in reversed(self._frames):
            for slot in frame.plan.loop.slots[frame.spot.slot :]:
                names += [item.id if isinstance(item, SegmentUse) else item.trigger.id for item in slot]
        return "next one of " + ", ".join(list(dict.fromkeys(names))[:10])

    def finish(self) -> None:
        """Close every loop at the end of the transaction."""
        self._out.place.loop = ""
        while self._frames:
            self._incomplete(self._frames.pop())
