"""A service in miniature for tests of the supervisor: `migrate` makes a table, `serve` answers /readyz.

Run as a program, never imported. The real services follow the same contract.
"""

import asyncio
import http.server
import os
import sys

import asyncpg


async def _migrate() -> None:
    connection = await asyncpg.connect(os.environ["REVCYCLE_DATABASE_OWNER_URL"])
    await connection.execute("CREATE SCHEMA IF NOT EXISTS stub")
    await connection.execute(f'GRANT USAGE ON SCHEMA stub TO "{os.environ["REVCYCLE_DATABASE_SERVICE_ROLE"]}"')
    await connection.execute("CREATE TABLE IF NOT EXISTS stub.start (instance text)")
    await connection.close()


async def _note_start() -> None:
    connection = await asyncpg.connect(os.environ["REVCYCLE_DATABASE_URL"])
    await connection.execute("INSERT INTO stub.start VALUES ($1)", os.environ["REVCYCLE_INSTANCE"])
    await connection.close()


class _Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()


def main() -> None:
    if sys.argv[1] == "migrate":
        asyncio.run(_migrate())
        return
    asyncio.run(_note_start())
    address = (os.environ["REVCYCLE_HTTP_HOST"], int(os.environ["REVCYCLE_HTTP_PORT"]))
    print('{"level": "info", "message": "listening"}', flush=True)
    http.server.ThreadingHTTPServer(address, _Ready).serve_forever()


if __name__ == "__main__":
    main()
