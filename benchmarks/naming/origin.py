"""The zone outside, which both servers forward to: any name of it has an address, for an hour."""

import asyncio
import socket
import sys
from typing import Any

_HEAD, _TAIL = bytes.fromhex("8580 0001 0001 0000 0000"), bytes.fromhex("c00c 0001 0001 00000e10 0004 7f000909")


class Origin(asyncio.DatagramProtocol):
    """Answers everything alike."""

    def connection_made(self, transport: Any) -> None:
        """Keep the transport, and say where it is."""
        self._transport = transport
        print(transport.get_extra_info("sockname")[1], flush=True)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """Answer."""
        question = data[12 : data.index(b"\0", 12) + 5]
        self._transport.sendto(data[:2] + _HEAD + question + _TAIL, addr)


async def serve() -> None:
    """Answer until killed."""
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(Origin, local_addr=("127.0.0.1", 0), family=socket.AF_INET)
    await loop.create_future()


if __name__ == "__main__":
    sys.exit(asyncio.run(serve()))
