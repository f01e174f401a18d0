"""Many clients that asked once and then keep their connections: a program, as they need file descriptors of their own.

It prints how many were answered, and keeps them until its input ends.
"""

import asyncio
import resource
import sys

AT_ONCE = 64


async def hold(host: str, port: int, count: int) -> None:
    """Open ``count`` connections, ask once on each, and keep them."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def ask() -> asyncio.StreamWriter:
        async with turns:
            reader, writer = await asyncio.open_connection(host, port, limit=4096)
            writer.write(b"GET / HTTP/1.1\r\nHost: idle\r\n\r\n")
            head = await reader.readuntil(b"hello world\n")
            if not head.startswith(b"HTTP/1.1 200 "):
                raise SystemExit(f"answered {head[:100]!r}")
            return writer

    kept = await asyncio.gather(*(ask() for _ in range(count)))
    print(len(kept), flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(hold(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
