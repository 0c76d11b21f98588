"""After a restore the topics know more than the database. Until that is healed nothing is written and nothing sent.

A service that wrote on would give sequences a second time that others have applied long ago. So the ends of the topics
are compared with the database before the first write of a process, before a relay sends anything, and again whenever
PostgreSQL was started anew or is another database than before: no restore goes without one of these. Every restore
breaks the connections, and the first new one recognises the other database before anything is written through it.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from revcycle_messaging.database import INCARNATION, NOT_COMPARED, Database, translated_errors
from revcycle_messaging.errors import DatabaseBehind
from revcycle_messaging.recovery import Fork, find_forks
from revcycle_messaging.transports import Transport

TAIL_RECORDS: Final = 200
"""Per partition: what a restore took away was published last, and one event of it is enough."""


class RestoreGuard:
    """Decides whether a service's database may be written to; ``database.refuses_because`` says the answer.

    Attributes:
        forks: streams that were found further on their topics than in the database.
    """

    def __init__(self, database: Database, transport: Transport, topics: Sequence[str]) -> None:
        self._database = database
        self._transport = transport
        self._topics = sorted(topics)
        self._one_at_a_time = asyncio.Lock()
        self.forks: Sequence[Fork] = ()
        database.refuses_because = NOT_COMPARED

    async def check(self) -> None:
        """Compare, unless this very start of this very database has been compared and was sound.

        Raises:
            DatabaseBehind: it was restored to the past; the text says what to do.
            Transient: database or broker are away; what was true before stays true.
        """
        database = self._database
        async with self._one_at_a_time:
            incarnation = await self._incarnation()
            if incarnation == database.compared:
                return
            if database.compared is not None:
                database.compared, database.refuses_because = None, NOT_COMPARED
            self.forks = await find_forks(database, self._transport, self._topics, tail_records=TAIL_RECORDS)
            if self.forks:
                database.refuses_because = _what_to_do(database.service, self.forks)
                raise DatabaseBehind(database.refuses_because)
            database.compared, database.refuses_because = incarnation, None

    async def _incarnation(self) -> tuple[Any, ...]:
        with translated_errors():
            async with self._database.connection() as connection:
                row = await connection.fetchrow(INCARNATION)
        return tuple(row or ())


def _what_to_do(service: str, forks: Sequence[Fork]) -> str:
    first = forks[0]
    return (
        f"{len(forks)} streams are further on their topics than in the database of {service}, which was restored to "
        f"the past (the first, of {first.topic}: {first.topic_sequence} on the topic, {first.own_sequence} here). "
        f"Nothing is written or published until it is healed: revcycle archive forks {service} --adopt --by NAME "
        "--reason TEXT"
    )
