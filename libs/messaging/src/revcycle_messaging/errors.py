"""What can go wrong while an event moves, and what follows.

MessagingError
├── Transient          infrastructure: pause and retry the chunk, never skip
│   ├── TookTooLong    a statement ran into its limit: in a chunk, halve; a single event is parked
│   └── DatabaseBehind the topics know more than the database: nothing is written until a person has healed it
├── Retryable          this event may work later: its key is parked with backoff, other keys go on
├── Permanent          this event can never work: dead letter, the key waits for a named person
├── DatabaseRefused    the database refused a statement (constraint, permission); carries no values
├── MissingKey         no key to open or check an event: the consumer stops and says so
├── BadSeal            an event is not what its producer wrote: quarantined, nothing else touched
├── ConsumerStopped    too many dead letters: the consumer stopped instead of dead-lettering a topic
└── OutboxFull         the outbox is at its bound: writes are refused until the relay catches up
"""

import traceback


class MessagingError(Exception):
    """Base of all errors here. Texts hold ids, names of rules and counts, never patients' data."""


class Transient(MessagingError):
    """Infrastructure is away or overloaded; the same work succeeds later."""


class TookTooLong(Transient):
    """A statement ran into ``statement_timeout``. The same chunk as a whole would meet it again and again."""


class DatabaseBehind(Transient):
    """The database is behind its own topics, as after a restore; the text says which command heals it."""


class Retryable(MessagingError):
    """One event cannot be handled yet; its key waits and is tried again."""


class Permanent(MessagingError):
    """One event can never be handled as it is."""


class DatabaseRefused(MessagingError):
    """PostgreSQL refused a statement.

    Attributes:
        sqlstate: five characters, for example 23505 for a unique violation.
        constraint: name of the violated constraint, if any.
    """

    def __init__(self, sqlstate: str, constraint: str | None, table: str | None) -> None:
        self.sqlstate = sqlstate
        self.constraint = constraint
        super().__init__(f"database refused: sqlstate={sqlstate} table={table} constraint={constraint}")


class MissingKey(MessagingError):
    """The key ring has no such key for the tenant."""


class BadSeal(MessagingError):
    """The seal, a sealed compartment or the envelope does not hold."""


class ConsumerStopped(MessagingError):
    """The consumer stopped itself; the text says why and what to do."""


class OutboxFull(MessagingError):
    """The outbox has reached its bound."""

    def __init__(self, rows: int, retry_after_seconds: int = 5) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(f"outbox holds {rows} events, its bound")


def reason_of(failure: BaseException) -> str:
    """Why something failed, without the text of foreign exceptions: those may repeat patients' data."""
    if isinstance(failure, MessagingError):
        return f"{type(failure).__name__}: {failure}"
    frames = traceback.extract_tb(failure.__traceback__)
    place = f"{frames[-1].name}:{frames[-1].lineno}" if frames else "unknown"
    return f"{type(failure).__name__} in {place}"
