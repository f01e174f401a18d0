"""What MetaManager says to others: to the cloud, and to modules that asked."""

import structlog

from edgecore.beehive.message import Message, error_to, response_to, with_sender, with_sync
from edgecore.beehive.port import Port
from edgecore.beehive.resource import ACTION, ACTION_RESULT, DELETE, EDGED, INSERT, METAMANAGER, OK, QUERY
from edgecore.errors import MailboxFull, StoreError
from edgecore.modules.metamanager.plan import receiver_of_answer
from edgecore.modules.metamanager.tables import MetaTable

log = structlog.get_logger("metamanager")

QUIET_S = 10.0


class Answers:
    """MetaManager's voice. Every method raises as ``Port.send`` does."""

    def __init__(self, port: Port, table: MetaTable, hub_group: str) -> None:
        self._port = port
        self._table = table
        self._hub_group = hub_group
        self._quiet_until = float("-inf")
        self._left_out = 0

    async def to_cloud(self, message: Message, *, durable: bool = False) -> None:
        """Hand ``message`` to EdgeHub. One that is durable has its row: EdgeHub must hear of it, however long."""
        message = with_sync(message, False)
        while True:
            try:
                await self._port.send_to_group(self._hub_group, message)
            except MailboxFull:
                if not durable:
                    raise
                log.warning("hub_takes_nothing", id=message.header.id, resource=message.route.resource)
            else:
                return

    async def acknowledge(self, message: Message) -> None:
        """Answer the cloud "OK"."""
        port = self._port
        await port.send_to_group(self._hub_group, response_to(message, OK, port.new_id, port.clock))

    async def reply(self, request: Message, content: object, sender: tuple[str, str] | None = None) -> None:
        """Answer ``request``: in its reply slot if its sender waits, else in the mailbox of the module concerned.

        ``sender``, source and group, is that of the request where nothing else is said.
        """
        reply = response_to(request, content, self._port.new_id, self._port.clock)
        if sender is not None:
            reply = with_sender(reply, *sender)
        if request.header.sync:
            self._port.respond(reply)
            return
        await self._port.send(receiver_of_answer(request.route), reply)

    async def reply_with_rows(self, request: Message, key: str, row_type: str, namespace: str) -> None:
        """Answer with the row under ``key``, or, where that is empty, with those of a type in ``namespace``.

        Raises ``StoreError``.
        """
        values: list[str] | None
        if key:
            value = self._table.value(key)
            values = None if value is None else [value]
        else:
            values = self._table.values(row_type, namespace) or None
        await self.reply(request, values, (METAMANAGER, request.route.group))

    async def report(self, request: Message, text: str) -> None:
        """Tell who asked that it failed (``feedbackError``)."""
        error = error_to(request, text, self._port.new_id, self._port.clock)
        error = with_sender(error, METAMANAGER, request.route.group)
        if request.header.sync:
            self._port.respond(error)
        elif request.route.source == EDGED:
            await self._port.send(EDGED, error)
        else:
            await self.to_cloud(error)

    def refusal(self, request: Message, error: StoreError, what: str = "") -> str:
        """Return what who asked is told of what the file refused (the texts are Go's).

        Logged once in ``QUIET_S``: a full disk refuses all that comes, and it comes again and again.
        """
        now = self._port.clock.monotonic()
        if now >= self._quiet_until:
            resource = request.route.resource
            log.error(
                "request_failed", id=request.header.id, resource=resource, error=str(error), left_out=self._left_out
            )
            self._quiet_until, self._left_out = now + QUIET_S, 0
        else:
            self._left_out += 1
        what = what or _REFUSED.get(request.route.operation, "update")
        return f"Error to {what} meta {'in' if what == 'query' else 'to'} DB: {error}"


_REFUSED = {INSERT: "save", ACTION: "save", ACTION_RESULT: "save", DELETE: "delete", QUERY: "query"}
"""What could not be done, by operation, in Go's words; ``update`` for all others."""
