"""One client that asks for a large body and throws it away: a program that prints its bytes, and the seconds it took.

The system throws the bytes away itself, uncopied (MSG_TRUNC, tcp(7)): so the client costs next to nothing.
"""

import re
import socket
import sys
import time

_AT_ONCE = 1 << 20
_LENGTH = re.compile(rb"^content-length: *(\d+)\r$", re.IGNORECASE | re.MULTILINE)


def main(host: str, port: int) -> None:
    """Ask, and print."""
    room = bytearray(_AT_ONCE)
    began = time.perf_counter()
    with socket.create_connection((host, port), 60) as client:
        client.sendall(b"GET /large HTTP/1.1\r\nHost: origin\r\n\r\n")
        head = b""
        while b"\r\n\r\n" not in head:
            some = client.recv(4096)
            if not some:
                sys.exit(f"answered {head[:200]!r}")
            head += some
        found = _LENGTH.search(head)
        if found is None or not head.startswith(b"HTTP/1.1 200 "):
            sys.exit(f"answered {head[:200]!r}")
        got, length = len(head.partition(b"\r\n\r\n")[2]), int(found[1])
        while got < length:
            some_bytes = client.recv_into(room, _AT_ONCE, socket.MSG_TRUNC)
            if not some_bytes:
                break
            got += some_bytes
    print(got, time.perf_counter() - began)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
