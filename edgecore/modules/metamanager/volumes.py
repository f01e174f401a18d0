"""Volume operations of the cloud, asked of edged (kubeedge edge/pkg/metamanager/process.go:619@v1.3.1).

Go waits for edged's answer, and does nothing else meanwhile; a failure it answers with the content null, 60 s later.
Here each operation has a task, and a failure is an ``error`` with a text as soon as it is known: the cloud tells
whoever wants the volume of failures in that form, and null is no text.
"""

import structlog

from edgecore.beehive.message import Message, content_value, response_to
from edgecore.beehive.port import Port
from edgecore.beehive.resource import EDGED, ERROR
from edgecore.errors import BusClosed, BusError, ContentError
from edgecore.modules.metamanager import endings
from edgecore.modules.metamanager.answers import Answers
from edgecore.modules.metamanager.endings import Ending
from edgecore.modules.metamanager.underway import CarryThrough, UnderWay
from edgecore.observe.ledger import DELIVERED

log = structlog.get_logger("metamanager")

VOLUME_OPERATIONS_LIMIT = 16
"""Operations that may wait for edged at one time."""
VOLUME_TIMEOUT_S = 60.0
"""How long edged may take; who asks the cloud waits as long."""


class Volumes:
    """The volume operations under way."""

    def __init__(self, port: Port, answers: Answers, carry_through: CarryThrough) -> None:
        self._port = port
        self._answers = answers
        self._under_way = UnderWay(carry_through)
        self._asked: set[str] = set()

    def __len__(self) -> int:
        return len(self._under_way)

    def ask(self, request: Message) -> None:
        """Begin to ask edged. The same request once more, while the first is under way, is the first one's business."""
        if request.header.id in self._asked:
            return
        if len(self._asked) < VOLUME_OPERATIONS_LIMIT:
            self._asked.add(request.header.id)
            self._under_way.begin(request, self._answer_from_edged(request))
        else:
            self._under_way.begin(request, self._refuse(request))

    async def stop(self) -> None:
        """Give up what is under way."""
        await self._under_way.stop()

    async def _answer_from_edged(self, request: Message) -> Ending:
        try:
            answer = await self._port.send_sync(EDGED, request, VOLUME_TIMEOUT_S)
            failure = str(content_value(answer)) if answer.route.operation == ERROR else ""
        except BusClosed:
            raise
        except (BusError, ContentError) as error:
            await self._fail(request, str(error))
            return endings.EDGED_DID_NOT_ANSWER
        finally:
            self._asked.discard(request.header.id)
        if answer.route.operation == ERROR:
            await self._answers.report(request, failure)
        else:
            response = response_to(request, answer.content, self._port.new_id, self._port.clock)
            await self._answers.to_cloud(response)
        return Ending(DELIVERED)

    async def _refuse(self, request: Message) -> Ending:
        await self._fail(request, f"{VOLUME_OPERATIONS_LIMIT} volume operations are under way; try again later")
        return endings.TOO_MANY_VOLUME_OPERATIONS

    async def _fail(self, request: Message, why: str) -> None:
        route = request.route
        log.warning("volume_operation_failed", operation=route.operation, resource=route.resource, error=why)
        await self._answers.report(request, f"cannot {route.operation} {route.resource}: {why}")
