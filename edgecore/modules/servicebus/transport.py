"""Calling services: the module's one HTTP client.

Every call has a connection of its own: a service that is started anew between two calls is no trouble then. The body of
an answer is counted as it comes, and not read beyond its limit.
"""

from io import BytesIO

import aiohttp
from yarl import URL

from edgecore.clock import Clock, before
from edgecore.modules.servicebus.answers import MAX_HEADER_BYTES, TOO_LARGE, Answer, Refusal, Refused, answer_of
from edgecore.modules.servicebus.calls import Call

_NOT_ADDED = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
"""Header lines that the library would add by itself."""


class Transport:
    """Calls services, each call for itself."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def call(self, call: Call, deadline: float, max_body_bytes: int) -> Answer | Refused:
        """Return what the service answers until ``deadline`` (``monotonic`` seconds), or why there is nothing."""
        began: list[int] = []
        try:
            return await before(self._clock, deadline, self._ask(call, max_body_bytes, began))
        except TimeoutError:
            if began:
                return Refused(Refusal.RECEIVE, "body_too_late", "the answer did not end in time")
            return Refused(Refusal.CALL, "no_answer_in_time")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if began:
                return Refused(Refusal.RECEIVE, "answer_broken", "the answer broke off")
            is_down = isinstance(error, aiohttp.ClientConnectorError)
            return Refused(Refusal.CALL, "not_reached" if is_down else "no_http_answer")

    async def _ask(self, call: Call, max_body_bytes: int, began: list[int]) -> Answer | Refused:
        """Ask, and put the status into ``began`` once it is there."""
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(force_close=True),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
                auto_decompress=False,
                skip_auto_headers=_NOT_ADDED,
                cookie_jar=aiohttp.DummyCookieJar(),
                max_line_size=MAX_HEADER_BYTES,
                max_field_size=MAX_HEADER_BYTES,
            ) as session,
            session.request(
                call.method,
                URL(call.url, encoded=True),
                headers=call.header,
                data=BytesIO(call.body) if call.body else None,
                allow_redirects=False,
            ) as response,
        ):
            began.append(response.status)
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > max_body_bytes:
                    return TOO_LARGE
            header = ((name.decode("latin-1"), value.decode(errors="replace")) for name, value in response.raw_headers)
            return answer_of(response.status, header, bytes(body))
