"""Exit status 0 when a GET of ``http(s)://host:port/path`` is answered with 200; for a container that asks itself.

Run every few seconds in every container, so it imports next to nothing; it reads no certificate.
"""

import socket
import sys

TIMEOUT_SECONDS = 6


def main(address: str) -> int:
    """Ask once."""
    scheme, _, rest = address.partition("://")
    host, _, path = rest.partition("/")
    name, _, port = host.partition(":")
    request = f"GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    try:
        connection = socket.create_connection((name, int(port)), TIMEOUT_SECONDS)
        if scheme == "https":
            import ssl

            connection = ssl._create_unverified_context().wrap_socket(connection)
        connection.sendall(request)
        answer = connection.recv(1000).decode(errors="replace")
    except OSError as failure:
        sys.stdout.write(f"{type(failure).__name__}\n")
        return 1
    sys.stdout.write(answer)
    return 0 if answer.split(" ", 2)[1:2] == ["200"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
