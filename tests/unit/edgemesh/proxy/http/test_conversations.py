"""Whole conversations without sockets: what is forwarded does not depend on how it arrives, and h11 sees in it what was
sent.

A conversation is delivered in six ways. A request that comes whole, with an idle connection at hand, and whose answer
comes whole, takes the shortcut; the others do not: that both ways were gone is looked at as well.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from edgecore.modules.edgemesh.proxy.http.client import ClientConnection
from edgecore.modules.edgemesh.proxy.http.exchange import Exchange
from edgecore.modules.edgemesh.proxy.http.shortcut import Shortcut
from tests.support.exchanges.delivery import Delivery, answers_as_sent, deliver, expected_of, requests_as_sent
from tests.support.exchanges.judges import read_answers
from tests.support.exchanges.messages import Asked, Told, conversations
from tests.support.exchanges.simulation import Loop, at_random, each_byte, whole


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many requests went which way: ``shortcut`` to the end, ``exchange`` from the start, ``unfolded`` between."""
    gone: Counter[str] = Counter()

    def count(owner: type, name: str, way: str) -> None:
        original: Callable[..., Any] = getattr(owner, name)

        def counted(*arguments: Any) -> Any:
            gone[way] += 1
            return original(*arguments)

        monkeypatch.setattr(owner, name, counted)

    count(Shortcut, "_finish", "shortcut")
    count(Exchange, "begin", "exchange")
    count(ClientConnection, "unfold", "unfolded")
    return gone


@pytest.mark.timeout(600)  # for the long run
def test_what_is_forwarded_is_what_was_sent_however_it_arrives(ways: Counter[str]) -> None:
    @given(conversation=conversations(), seed=st.integers(0, 2**32))
    def check(conversation: tuple[list[Asked], list[Told]], seed: int) -> None:
        asked, told = conversation
        rng = random.Random(seed)
        deliveries = [
            Delivery(whole, whole, in_turns=True),
            Delivery(whole, whole, in_turns=False),
            Delivery(each_byte, each_byte, in_turns=False),
            Delivery(whole, each_byte, in_turns=True),
            Delivery(at_random(rng), whole, in_turns=True),
            Delivery(at_random(rng), at_random(rng), in_turns=False, seed=seed),
        ]
        with asyncio.Runner(loop_factory=Loop) as runner:
            outcomes = [runner.run(deliver(asked, told, how)) for how in deliveries]
        served, closed = expected_of(asked, told)
        event(f"{served} served")
        for outcome in outcomes:
            assert outcome == outcomes[0]
        first = outcomes[0]
        assert first.closed == closed
        assert first.read == requests_as_sent(asked[:served])
        methods = [one.method for one in asked[:served]]
        read, rest = read_answers(first.to_client, methods, closed=closed)
        assert (read, rest) == (answers_as_sent(asked[:served], told[:served]), b"")

    check()
    assert all(ways[way] for way in ("shortcut", "exchange", "unfolded")), ways
