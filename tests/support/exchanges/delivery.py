"""Conversations delivered in the simulation, and what has to come of them."""

from collections import deque
from typing import Any, NamedTuple

from tests.support.exchanges.judges import Read, Requests
from tests.support.exchanges.messages import Asked, Told
from tests.support.exchanges.simulation import Cut, Simulation, Wire


class Backend:
    """Reads requests with h11, and sends the next answer whenever one is complete."""

    wire: Wire

    def __init__(self, answers: deque[Told], cut: Cut) -> None:
        self.judge = Requests()
        self._answers = answers
        self._cut = cut
        self._closes = False

    def received(self, data: bytes) -> None:
        assert not self._closes, "it has said that it would close"
        for _ in range(self.judge.take(data)):
            told = self._answers.popleft()
            self.wire.incoming += self._cut(told.wire)
            self._closes = told.closes
            if told.closes:
                self.wire.incoming.append(None)

    def finished(self) -> None: ...


class Delivery(NamedTuple):
    """How a conversation is delivered. ``in_turns``: a request is sent when the one before it is answered."""

    cut_requests: Cut
    cut_answers: Cut
    in_turns: bool
    seed: int | None = None


class Outcome(NamedTuple):
    """What came of a conversation."""

    to_backend: bytes
    to_client: bytes
    closed: bool
    read: list[Read]
    books: tuple[Any, ...]


async def deliver(asked: list[Asked], told: list[Told], how: Delivery) -> Outcome:
    answers = deque(told)
    simulation = Simulation(lambda: Backend(answers, how.cut_answers), how.seed)
    if how.in_turns:
        for one in asked:
            simulation.wire.incoming += how.cut_requests(one.wire)
            await simulation.run()
    else:
        simulation.wire.incoming += how.cut_requests(b"".join(one.wire for one in asked))
        await simulation.run()
    outcome = Outcome(
        b"".join(bytes(backend.wire.written) for backend in simulation.backends),
        bytes(simulation.client.got),
        simulation.wire.ended,
        [read for backend in simulation.backends for read in backend.judge.complete],
        simulation.books,
    )
    await simulation.end()
    return outcome


def expected_of(asked: list[Asked], told: list[Told]) -> tuple[int, bool]:
    """Return how many requests are served, and whether the connection of the client is closed then."""
    for number, (request, answer) in enumerate(zip(asked, told, strict=True)):
        if not request.keep or answer.unlimited or (answer.chunked and request.minor == 0):
            return number + 1, True
    return len(asked), False


def requests_as_sent(asked: list[Asked]) -> list[Read]:
    return [Read((one.method, one.path), one.fields, one.body, one.trailers, []) for one in asked]


def answers_as_sent(asked: list[Asked], told: list[Told]) -> list[Read]:
    """Return what a client is to see; one of HTTP/1.0 knows neither interim heads nor trailers."""
    return [
        Read(
            (b"%d" % answer.status,),
            answer.fields,
            answer.body,
            answer.trailers if request.minor else [],
            answer.interim if request.minor else [],
        )
        for request, answer in zip(asked, told, strict=True)
    ]
