"""Walks a transaction through its guide: every segment finds its place in the loops or is reported.

One dictionary lookup and one pattern match per good segment: transitions between places are worked out once and kept.
"""

from revcycle_edi.x12.guides.model import Guide, Loop, SegmentUse, discriminator
from revcycle_edi.x12.validation.context import Collector
from revcycle_edi.x12.validation.elements import diagnose, relations


class _Frame:
    """One open loop: which slot was reached and how often each item was used."""

    __slots__ = ("counts", "loop", "slot", "steps")

    def __init__(self, loop: Loop, steps: dict[str, "_Step"]) -> None:
        self.loop = loop
        self.slot = 0
        self.steps = steps
        self.counts: dict[int, int] = {}


class _Step:
    """A resolved transition: close `pops` loops, move to `slot` in the loop then open, enter `path`, match `use`."""

    __slots__ = ("path", "pops", "slot", "use")

    def __init__(self, pops: int, slot: int, path: tuple[Loop, ...], use: SegmentUse) -> None:
        self.pops = pops
        self.slot = slot
        self.path = path
        self.use = use


class GuideMemory:
    """Transitions found so far for one guide; bounded by the guide, shared by all transactions."""

    def __init__(self, guide: Guide) -> None:
        self.guide = guide
        self._steps: dict[tuple[int, int], dict[str, _Step]] = {}

    def steps(self, loop: Loop, slot: int) -> dict[str, _Step]:
        """The transitions known from a slot of a loop, by segment id and qualifier."""
        return self._steps.setdefault((id(loop), slot), {})


def _matches(use: SegmentUse, segment_id: str, qualifier: str) -> bool:
    return use.id == segment_id and (not use.qualifiers or qualifier in use.qualifiers)


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
    """The state of one transaction."""

    def __init__(self, memory: GuideMemory, out: Collector) -> None:
        self._memory = memory
        self._out = out
        self._frames = [_Frame(memory.guide.root, memory.steps(memory.guide.root, 0))]
        self._lost = False

    def feed(self, text: str, segment: list[str]) -> str:
        """Take one segment (written with standard delimiters) and return the loop it belongs to, `` when unknown."""
        segment_id = segment[0]
        index = discriminator(segment_id)
        qualifier = segment[index].partition(":")[0] if index and index < len(segment) else ""
        steps = self._frames[-1].steps
        key = f"{segment_id}*{qualifier}"
        step = steps.get(key)
        if step is None:
            step = self._resolve(segment_id, qualifier)
            if step is None:
                self._unknown(segment_id, qualifier)
                return ""
            steps[key] = step
        self._lost = False
        self._move(step)
        use = step.use
        self._out.place.loop = use.loop
        if use.pattern.fullmatch(text) is None:
            diagnose(use, segment, self._out)
        elif use.relations:
            relations(use, segment, self._out)
        return use.loop

    def _resolve(self, segment_id: str, qualifier: str) -> _Step | None:
        for pops in range(len(self._frames)):
            frame = self._frames[-1 - pops]
            found = _find_in(frame.loop, frame.slot, segment_id, qualifier)
            if found is not None and not (not found[1] and found[2] is frame.loop.trigger and frame.loop.id):
                return _Step(pops, found[0], found[1], found[2])
        return None

    def _move(self, step: _Step) -> None:
        frames = self._frames
        for _ in range(step.pops):
            self._close(frames.pop())
        frame = frames[-1]
        if frame.slot != step.slot:
            frame.slot = step.slot
            frame.steps = self._memory.steps(frame.loop, step.slot)
        for loop in step.path:
            self._count(frame, loop)
            frame = _Frame(loop, self._memory.steps(loop, 0))
            frames.append(frame)
        self._count(frame, step.use)

    def _count(self, frame: _Frame, item: SegmentUse | Loop) -> None:
        count = frame.counts.get(id(item), 0) + 1
        frame.counts[id(item)] = count
        if count == item.maximum + 1:
            loop = item if isinstance(item, Loop) else None
            code = "4" if loop is not None else "5"
            what = f"loop {loop.id}" if loop is not None else "this segment"
            message = f"{what} occurs too often"
            expected = f"at most {item.maximum} in loop {frame.loop.id or 'transaction'}"
            out = self._out
            rule = f"999.segment.{code}"
            out.add(rule, message, codes=(f"IK304:{code}",), expected=expected, loop=loop.id if loop else frame.loop.id)

    def _close(self, frame: _Frame) -> None:
        for item in frame.loop.required_items:
            if id(item) not in frame.counts:
                self._missing(frame.loop, item)

    def _missing(self, parent: Loop, item: SegmentUse | Loop) -> None:
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
        if self._lost and segment_id not in ("HL", "CLM", "LX", "CLP", "SVC", "SE"):
            return  # What follows an unplaceable loop start belongs to it: one finding is enough.
        self._lost = segment_id in ("NM1", "N1", "LX", "HL", "SBR", "LIN", "SVD", "TRN", "CLM", "CLP", "SVC")
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
            for slot in frame.loop.slots[frame.slot :]:
                names += [item.id if isinstance(item, SegmentUse) else item.trigger.id for item in slot]
        return "next one of " + ", ".join(list(dict.fromkeys(names))[:10])

    def finish(self) -> None:
        """Close every loop at the end of the transaction."""
        self._out.place.loop = ""
        while self._frames:
            self._close(self._frames.pop())
