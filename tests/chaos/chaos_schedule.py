"""What goes wrong, where, when and for how long: drawn from one seed before anything starts. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from random import Random
from typing import Final, Literal, TypeVar

Fault = Literal[
    "kill",
    "immediate_stop",
    "kill_leader",
    "freeze",
    "postgresql_down",
    "kafka_down",
    "service_down",
    "payer",
    "network",
    "disk_full",
    "clock",
    "topics_lost",
]

PAYER: Final = "payer-simulator"
POSTGRESQL: Final = "postgresql"
PAYER_FAULTS: Final = ("silent_after_bytes", "silent_before_bytes", "answer_twice", "pend_all")
NETWORK_FAULTS: Final = ("latency", "cut", "half_open", "reset", "bandwidth", "slicer")
LEADERS: Final = ("revcycle.encounters.v1", "revcycle.claims.v1")
"""Topics of which the leader of a drawn partition is killed, when there are several brokers."""

_KILL_EVERY_SECONDS: Final = 2.4
"""Mean; while something lasting goes on in the first half, there are none."""
_LASTING_EVERY_SECONDS: Final = 18.0
_SERVERS_EVERY: Final = 10
"""Every tenth kill meets Kafka or PostgreSQL in turn."""
_PAIR_PERCENT: Final = 20
_SERVER_FROZEN_SECONDS_MAX: Final = 6.0
_OUTAGE_SECONDS_MAX: Final = 20.0
_FROZEN_SECONDS_MAX: Final = 60.0
_NETWORK_SECONDS_MAX: Final = 12.0
_DISK_SECONDS_MAX: Final = 6.0
_CLOCK_SECONDS_MAX: Final = 20.0
_SHARE_OF_RUN: Final = 0.12
"""The longest that one lasting fault may take of a whole run; freezes and stopped services, the longest, half of it."""
_TOPICS_SECONDS: Final = 45.0
"""Kept free of everything else while topics are deleted and rebuilt."""
_TOPICS_RUN_SECONDS_MIN: Final = 300.0
_FORWARD_SECONDS: Final = (10, 60)
_BACK_SECONDS: Final = (600, 3600)
_PARTITIONS: Final = 12

Drawn = TypeVar("Drawn")


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that goes wrong. ``seconds`` is how long it lasts: 0 for a kill; for the payer, ``count`` says it.

    ``target``: a process; for ``service_down`` a service, all of whose processes go; for the payer the fault it has;
    for ``network`` the route; for ``kill_leader`` a topic. ``detail``: which network fault. ``count``: also the
    partition whose leader is meant, or by how many seconds a clock jumps.
    """

    at_seconds: float
    fault: Fault
    target: str
    seconds: float = 0.0
    count: int = 0
    detail: str = ""

    def during(self, moment: float) -> bool:
        """Whether this goes on at a moment, or is about to."""
        return self.at_seconds - 1 < moment < self.at_seconds + self.seconds


@dataclass(frozen=True, slots=True)
class Targets:
    """What there is to break. ``routes``: proxied connections by what is at their end; empty: no proxies.

    ``clocked``: processes whose clock can be set; ``disk``: whether PostgreSQL's disk can be filled.
    """

    members: Sequence[str]
    brokers: Sequence[str]
    routes_to_postgresql: Sequence[str] = ()
    routes_to_brokers: Sequence[str] = ()
    clocked: Sequence[str] = ()
    disk: bool = False

    @property
    def servers(self) -> tuple[str, ...]:
        """PostgreSQL first: it is back at once, Kafka takes its time; in a short run that dies late."""
        return (POSTGRESQL, *self.brokers)


def draw_schedule(seed: int, run_seconds: float, targets: Targets) -> list[Action]:
    """The faults of a run in the order of their time.

    In the first half one kind at a time; in the second, kills go on while something else lasts, some of them in pairs.
    Everything that lasts ends within ``run_seconds``. In a run of five minutes or more all topics are lost once.
    """
    random = Random(f"chaos {seed}")
    lost = list(_topics_lost(random, run_seconds))
    lasting = list(_lasting(random, run_seconds, targets, lost))
    kills = list(_kills(random, run_seconds, targets, lasting, lost))
    return sorted([*lost, *lasting, *kills], key=lambda action: (action.at_seconds, action.target))


def _topics_lost(random: Random, run_seconds: float) -> Iterator[Action]:
    if run_seconds >= _TOPICS_RUN_SECONDS_MIN:
        yield Action(run_seconds * random.uniform(0.4, 0.6), "topics_lost", "all topics", _TOPICS_SECONDS)


def _lasting(random: Random, run_seconds: float, targets: Targets, lost: Sequence[Action]) -> Iterator[Action]:
    """Freezes, outages, bad networks and the payer's own faults, one after the other; all kinds in every round."""
    every = min(_LASTING_EVERY_SECONDS, run_seconds / 6)
    draw = _Draw(random, targets, run_seconds * _SHARE_OF_RUN)
    at = every * random.uniform(0.2, 0.5)
    while at < run_seconds - every * 0.5:
        action = draw.next(at, run_seconds - at)
        for each in lost:
            if at < each.at_seconds + each.seconds and at + action.seconds > each.at_seconds:
                # Nothing else may go on while the topics are rebuilt.
                action = replace(action, at_seconds=each.at_seconds + each.seconds + 1)
        yield action
        at = action.at_seconds + action.seconds + every * random.uniform(0.3, 1.0)


class _Draw:
    """Draws one lasting fault after the other, so that every kind comes once in a round."""

    def __init__(self, random: Random, targets: Targets, longest_seconds: float) -> None:
        self._random = random
        self._targets = targets
        self._longest_seconds = longest_seconds
        self._servers = _rounds(random, targets.servers)
        sides = (targets.routes_to_postgresql, targets.routes_to_brokers)
        self._network = _rounds(random, NETWORK_FAULTS)
        # Each fault meets the one kind of connection the first time and the other the next.
        self._sides = {fault: _rounds(random, sides) for fault in NETWORK_FAULTS}
        self._clock_back = random.random() < 0.5
        self._kinds = _rounds(random, self._all_kinds())

    def next(self, at: float, left: float) -> Action:
        """The next one, beginning at a moment, with so much of the run left (seconds)."""
        kind = next(self._kinds)
        longest = min(self._longest_seconds, left)
        make = {
            "payer": self._payer,
            "frozen_server": self._frozen_server,
            "outage": self._outage,
            "service": self._service,
            "freeze": self._freeze,
            "network": self._bad_network,
            "disk": self._full_disk,
            "clock": self._clock,
        }[kind]
        return make(at, longest)

    def _all_kinds(self) -> list[str]:
        kinds = ["freeze", "frozen_server", "payer", "outage", "service", "payer"]
        if self._targets.routes_to_postgresql:
            kinds += ["network"] * 5
        if self._targets.disk:
            kinds.append("disk")
        if self._targets.clocked:
            kinds += ["clock"] * 2
        return kinds

    def _seconds(self, low: float, high: float, longest: float) -> float:
        return self._random.uniform(low, max(low, min(high, longest)))

    def _payer(self, at: float, longest: float) -> Action:
        return Action(at, "payer", self._random.choice(PAYER_FAULTS), count=self._random.randint(1, 4))

    def _frozen_server(self, at: float, longest: float) -> Action:
        broker = self._random.choice(self._targets.brokers)
        return Action(at, "freeze", broker, self._seconds(1, _SERVER_FROZEN_SECONDS_MAX, longest))

    def _outage(self, at: float, longest: float) -> Action:
        name = next(self._servers)
        fault: Fault = "postgresql_down" if name == POSTGRESQL else "kafka_down"
        return Action(at, fault, name, self._seconds(2, _OUTAGE_SECONDS_MAX, longest))

    def _service(self, at: float, longest: float) -> Action:
        service = self._random.choice(self._targets.members).rsplit("-", 1)[0]
        return Action(at, "service_down", service, self._seconds(2, _FROZEN_SECONDS_MAX, longest / 2))

    def _freeze(self, at: float, longest: float) -> Action:
        member = self._random.choice(self._targets.members)
        return Action(at, "freeze", member, self._seconds(1, _FROZEN_SECONDS_MAX, longest / 2))

    def _bad_network(self, at: float, longest: float) -> Action:
        fault = next(self._network)
        routes = next(self._sides[fault])
        seconds = self._seconds(2, _NETWORK_SECONDS_MAX, longest)
        return Action(at, "network", self._random.choice(routes), seconds, detail=fault)

    def _full_disk(self, at: float, longest: float) -> Action:
        return Action(at, "disk_full", POSTGRESQL, self._seconds(2, _DISK_SECONDS_MAX, longest))

    def _clock(self, at: float, longest: float) -> Action:
        self._clock_back = not self._clock_back
        jump = -self._random.randint(*_BACK_SECONDS) if self._clock_back else self._random.randint(*_FORWARD_SECONDS)
        member = self._random.choice(self._targets.clocked)
        seconds = self._seconds(2, _CLOCK_SECONDS_MAX, longest)
        return Action(at, "clock", member, seconds, jump, "back" if self._clock_back else "forward")


def _kills(
    random: Random, run_seconds: float, targets: Targets, lasting: Sequence[Action], lost: Sequence[Action]
) -> Iterator[Action]:
    every = min(_KILL_EVERY_SECONDS, run_seconds / 18)
    others = _rounds(random, [*targets.members, PAYER])
    servers = _server_kills(random, targets)
    at, number = 1.0, 0
    while at < run_seconds:
        second_half = at >= run_seconds / 2
        quiet = not any(each.during(at) for each in (lost if second_half else [*lost, *lasting]))
        if quiet:
            number += 1
            yield next(servers)(at) if number % _SERVERS_EVERY == 4 else Action(at, "kill", next(others))
            if second_half and random.randrange(100) < _PAIR_PERCENT:
                yield Action(at, "kill", next(others))
        at += every * random.uniform(0.6, 1.2) if quiet else 0.5


class _ServerKill:
    """Kills of servers in turn: PostgreSQL by SIGKILL and by immediate stop, brokers by name and as leaders."""

    def __init__(self, fault: Fault, target: str, count: int = 0) -> None:
        self._fault, self._target, self._count = fault, target, count

    def __call__(self, at: float) -> Action:
        return Action(at, self._fault, self._target, count=self._count)


def _server_kills(random: Random, targets: Targets) -> Iterator[_ServerKill]:
    brokers = _rounds(random, targets.brokers)
    while True:
        yield _ServerKill("kill", POSTGRESQL)
        yield _ServerKill("kill", next(brokers))
        yield _ServerKill("immediate_stop", POSTGRESQL)
        if len(targets.brokers) > 1:
            yield _ServerKill("kill_leader", random.choice(LEADERS), random.randrange(_PARTITIONS))
        else:
            yield _ServerKill("kill", next(brokers))


def _rounds(random: Random, each: Sequence[Drawn]) -> Iterator[Drawn]:
    """Everything once in each round, each round in an order of its own."""
    while True:
        yield from random.sample(list(each), len(each))


def overlaps(schedule: Sequence[Action]) -> int:
    """How many lasting faults begin before the one before them has ended: none, as they are drawn."""
    lasting = [action for action in schedule if action.seconds]
    return sum(later.at_seconds < earlier.at_seconds + earlier.seconds for earlier, later in pairwise(lasting))
