"""A consumer as a process of its own that kills itself, without any clean-up, at the second pass of a crash point."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from revcycle_messaging import Database, KeyRing
from revcycle_messaging.crash_points import arm
from revcycle_messaging.transports.kafka import KafkaTransport

from tests.support import Crash, dies, new_consumer


async def main(url: str, bootstrap_servers: str, keys: str, name: str, point: str) -> None:
    """Consume until death."""
    die = dies(times=1)

    def kill() -> None:
        try:
            die()
        except Crash:
            os.kill(os.getpid(), signal.SIGKILL)

    arm(point, kill)
    database = await Database.connect(url, service="testing", keys=KeyRing(Path(keys)))
    transport = KafkaTransport(bootstrap_servers, client_id="dying")
    await new_consumer(database, transport, name, max_records=3).run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
