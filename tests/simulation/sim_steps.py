"""What the scheduler may choose, drawn from a seed: a list of steps, each of which may be left out."""

import random
from dataclasses import dataclass
from typing import Final

CHUNKS: Final = (1, 7, 500)
CONSUMERS: Final = ("coding", "claims", "payer", "ledger")
MEMBERS: Final = tuple(f"{consumer}-{member}" for consumer in CONSUMERS for member in (1, 2))
RELAYS: Final = ("relay-1", "relay-2")
WORKERS: Final = ("timers-1", "timers-2", "jobs-1", "jobs-2")
PARTS: Final = (*RELAYS, *MEMBERS, *WORKERS)
CALM_PARTS: Final = tuple(part for part in PARTS if part.endswith("-1"))
MODES: Final = ("retryable", "permanent", "bug")
_CONSUMER_POINTS: Final = ("before_commit", "after_commit", "consumer_before_offsets", "consumer_after_offsets")
_RELAY_POINTS: Final = ("relay_before_send", "relay_after_send", "relay_after_archive")
_SECONDS: Final = (0.1, 0.1, 1, 1, 3, 12, 70, 400, 4000, 20_000)
_KINDS: Final = {
    "go": 430,
    "write": 80,
    "release": 14,
    "tick": 50,
    "send": 12,
    "crash": 14,
    "kill": 8,
    "start": 30,
    "break": 10,
    "commit_fault": 9,
    "offsets": 5,
    "drop": 5,
    "unanswered": 4,
    "expel": 6,
    "rebalance": 6,
    "sever": 5,
    "duplicate": 10,
    "rewind": 4,
    "forge": 4,
    "poison": 9,
    "deploy": 3,
    "fix": 9,
    "redrive": 8,
}


@dataclass(frozen=True, slots=True)
class Step:
    """One choice. ``who``: a part, a consumer or an encounter's number; ``how`` and ``count`` say the rest."""

    kind: str
    who: str = ""
    how: str = ""
    count: float = 0

    def __str__(self) -> str:
        return " ".join(
            part for part in (self.kind, self.who, self.how, f"{self.count:g}" if self.count else "") if part
        )


@dataclass(frozen=True, slots=True)
class Sizes:
    """Chunk sizes of a run: records per chunk of each consumer, rows per round of the relay and rounds in flight."""

    chunk: dict[str, int]
    round_rows: int
    depth: int


CALM_SIZES: Final = Sizes(dict.fromkeys(CONSUMERS, 500), 500, 4)


def draw_sizes(seed: int) -> Sizes:
    """A third of the seeds has one chunk size everywhere, the others one per consumer."""
    chance = random.Random(f"sizes {seed}")
    same = chance.choice((*CHUNKS, None, None, None, None, None, None))
    chunk = {consumer: same or chance.choice(CHUNKS) for consumer in CONSUMERS}
    return Sizes(chunk, chance.choice((1, 3, 500)), chance.choice((1, 2, 4)))


def draw_steps(seed: int, encounters: int) -> list[Step]:
    """150 to 320 steps. Every seed favours some parts and some kinds of trouble over others."""
    chance = random.Random(f"steps {seed}")
    weights = {
        kind: weight * (1 if kind in ("go", "write", "tick") else chance.choice((0, 0.5, 1, 3)))
        for kind, weight in _KINDS.items()
    }
    favour = {part: chance.choice((0.2, 1, 1, 2)) for part in PARTS}
    kinds = chance.choices(list(weights), list(weights.values()), k=chance.randint(150, 320))
    return [_draw(chance, kind, favour, encounters) for kind in kinds]


def _draw(chance: random.Random, kind: str, favour: dict[str, float], encounters: int) -> Step:
    part = chance.choices(PARTS, [favour[part] for part in PARTS])[0]
    consumer = chance.choice(CONSUMERS)
    encounter = f"e{chance.randint(1, encounters)}"
    relay = chance.choice(RELAYS)
    if kind == "write":
        return Step(
            kind,
            encounter,
            chance.choice(
                (
                    "",
                    "",
                    "",
                    "",
                    "held",
                    "held",
                    "dies before_commit",
                    "dies after_commit",
                    "commit lost",
                    "commit unanswered",
                    "statement fails",
                )
            ),
        )
    if kind == "crash":
        relay_dies = chance.random() < 0.3
        return Step(
            kind,
            relay if relay_dies else chance.choice((*MEMBERS, *WORKERS)),
            chance.choice(_RELAY_POINTS if relay_dies else _CONSUMER_POINTS),
        )
    if kind == "send":
        return Step(kind, relay, chance.choice(("refused", "unacknowledged", "torn", "dropped")), chance.randint(0, 9))
    simple = {
        "go": Step(kind, part, "", chance.randint(1, 3)),
        "release": Step(kind, encounter),
        "tick": Step(kind, "", "", chance.choice(_SECONDS)),
        "break": Step(kind, part, "", chance.randint(1, 9)),
        "commit_fault": Step(kind, chance.choice((*MEMBERS, *WORKERS)), chance.choice(("lost", "unanswered"))),
        "offsets": Step(kind, chance.choice(MEMBERS)),
        "drop": Step(kind, chance.choice(MEMBERS)),
        "unanswered": Step(kind, chance.choice(("jobs-1", "jobs-2"))),
        "expel": Step(kind, chance.choice(MEMBERS)),
        "rebalance": Step(kind, consumer),
        "sever": Step(kind, relay),
        "duplicate": Step(kind, "", str(chance.randint(0, 10**6)), chance.randint(1, 5)),
        "rewind": Step(kind, consumer, "", chance.randint(1, 40)),
        "forge": Step(kind, "", str(chance.randint(0, 10**6))),
        "poison": Step(kind, consumer, f"{encounter} {chance.choice(MODES)}"),
        "deploy": Step(kind, consumer, chance.choice(("permanent", "bug"))),
        "fix": Step(kind, consumer),
        "redrive": Step(kind, consumer),
    }
    return simple.get(kind, Step(kind, part))
