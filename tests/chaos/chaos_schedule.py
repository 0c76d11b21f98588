"""What goes wrong, where, when and for how long: drawn from one seed before anything starts. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, pairwise
from random import Random
from typing import Final, Literal

Fault = Literal["kill", "freeze", "postgresql_down", "kafka_down", "service_down", "payer"]

SERVERS: Final = ("postgresql", "kafka")
"""PostgreSQL is back at once, Kafka takes its time: in a short run it dies late, when much has been under way."""
PAYER_FAULTS: Final = ("silent_after_bytes", "silent_before_bytes", "answer_twice", "pend_all")

_KILL_EVERY_SECONDS: Final = 4.0
"""Mean; while something lasting goes on in the first half, there are none."""
_LASTING_EVERY_SECONDS: Final = 24.0
_SERVERS_EVERY: Final = 9
"""Every ninth kill meets Kafka or PostgreSQL in turn."""
_PAIR_PERCENT: Final = 20
_SERVER_FROZEN_SECONDS_MAX: Final = 6.0
_OUTAGE_SECONDS_MAX: Final = 20.0
_SHARE_OF_RUN: Final = 0.12
"""The longest that one lasting fault may take of a whole run."""


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that goes wrong. ``seconds`` is how long it lasts: 0 for a kill; for the payer, ``count`` says it.

    ``target``: a process; for ``service_down`` a service, all of whose processes go; for the payer the fault it has.
    """

    at_seconds: float
    fault: Fault
    target: str
    seconds: float = 0.0
    count: int = 0


def draw_schedule(seed: int, run_seconds: float, members: Sequence[str]) -> list[Action]:
    """The faults of a run in the order of their time; ``members``: the processes of the services.

    In the first half one kind at a time; in the second, kills go on while something else lasts, some of them in pairs.
    Everything that lasts ends within ``run_seconds``.
    """
    random = Random(f"chaos {seed}")
    lasting = list(_lasting(random, run_seconds, members))
    kills = list(_kills(random, run_seconds, members, lasting))
    return sorted([*lasting, *kills], key=lambda action: (action.at_seconds, action.target))


def _lasting(random: Random, run_seconds: float, members: Sequence[str]) -> Iterator[Action]:
    """Freezes, outages and the payer's own faults, one after the other; each kind comes once in every round."""
    every = min(_LASTING_EVERY_SECONDS, run_seconds / 6)
    longest = run_seconds * _SHARE_OF_RUN
    kinds = _rounds(random, ["freeze", "kafka", "payer", "outage", "service", "freeze", "payer"])
    servers = _rounds(random, SERVERS)
    at = every * random.uniform(0.2, 0.5)
    while at < run_seconds - every * 0.5:
        left = run_seconds - at
        kind = next(kinds)
        if kind == "payer":
            action = Action(at, "payer", random.choice(PAYER_FAULTS), count=random.randint(1, 4))
        elif kind == "kafka":
            action = Action(at, "freeze", "kafka", random.uniform(1, min(_SERVER_FROZEN_SECONDS_MAX, longest, left)))
        elif kind == "outage":
            name = next(servers)
            fault: Fault = "postgresql_down" if name == "postgresql" else "kafka_down"
            action = Action(at, fault, name, random.uniform(2, max(2.0, min(_OUTAGE_SECONDS_MAX, longest, left))))
        elif kind == "service":
            service = random.choice(members).rsplit("-", 1)[0]
            action = Action(at, "service_down", service, random.uniform(2, max(2.0, min(60.0, longest, left))))
        else:
            action = Action(at, "freeze", random.choice(members), random.uniform(1, min(60.0, longest, left)))
        yield action
        at += action.seconds + every * random.uniform(0.3, 1.0)


def _kills(random: Random, run_seconds: float, members: Sequence[str], lasting: Sequence[Action]) -> Iterator[Action]:
    every = min(_KILL_EVERY_SECONDS, run_seconds / 18)
    services, servers = _rounds(random, members), cycle(SERVERS)
    at, number = 1.0, 0
    while at < run_seconds:
        second_half = at >= run_seconds / 2
        alone = second_half or not any(each.at_seconds - 1 < at < each.at_seconds + each.seconds for each in lasting)
        if alone:
            number += 1
            yield Action(at, "kill", next(servers) if number % _SERVERS_EVERY == 4 else next(services))
            if second_half and random.randrange(100) < _PAIR_PERCENT:
                yield Action(at, "kill", next(services))
        at += every * random.uniform(0.6, 1.2) if alone else 0.5


def _rounds(random: Random, names: Sequence[str]) -> Iterator[str]:
    """Every name once in each round, each round in an order of its own."""
    while True:
        yield from random.sample(list(names), len(names))


def overlaps(schedule: Sequence[Action]) -> int:
    """How many lasting faults begin before the one before them has ended: none, as they are drawn."""
    lasting = [action for action in schedule if action.seconds]
    return sum(later.at_seconds < earlier.at_seconds + earlier.seconds for earlier, later in pairwise(lasting))
