"""Exit status 0 when a GET of the address is answered with 200. Reads no certificate: it asks its own container."""

import http.client
import ssl
import sys
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 3


def main(address: str) -> int:
    """Ask once."""
    parts = urlsplit(address)
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        unverified = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection(parts.netloc, timeout=TIMEOUT_SECONDS, context=unverified)
    else:
        connection = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", parts.path)
        answer = connection.getresponse()
        text = answer.read(500).decode(errors="replace")
    except OSError as failure:
        sys.stdout.write(f"{type(failure).__name__}\n")
        return 1
    sys.stdout.write(f"{answer.status} {text}\n")
    return 0 if answer.status == 200 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
