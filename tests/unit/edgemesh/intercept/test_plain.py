from typing import Any

import pytest

from edgecore.errors import ListenError
from edgecore.modules.edgemesh.intercept.plain import FURTHER_PORTS, PlainListener


async def test_the_configured_port_is_used_if_it_is_free(listen: Any) -> None:
    plain = PlainListener(listen, "127.0.0.1", 40001)

    await plain.start()

    assert plain.in_use == "127.0.0.1:40001"
    assert listen.listening == [("127.0.0.1", 40001)]


async def test_the_next_free_port_is_used_if_it_is_taken(listen: Any) -> None:
    for port in (40001, 40002):
        listen.refuse("127.0.0.1", port)
    plain = PlainListener(listen, "127.0.0.1", 40001)

    await plain.start()

    assert plain.in_use == "127.0.0.1:40003"


async def test_an_ipv6_address_in_use_can_be_put_into_a_url(listen: Any) -> None:
    plain = PlainListener(listen, "::1", 40001)

    await plain.start()

    assert plain.in_use == "[::1]:40001"


async def test_after_a_hundred_taken_ports_it_gives_up(listen: Any) -> None:
    for port in range(40001, 40002 + FURTHER_PORTS):
        listen.refuse("127.0.0.1", port)

    with pytest.raises(ListenError, match=r"127\.0\.0\.1:40101"):
        await PlainListener(listen, "127.0.0.1", 40001).start()

    assert len(listen.tried) == FURTHER_PORTS + 1


async def test_there_is_no_port_behind_the_last_one(listen: Any) -> None:
    listen.refuse("127.0.0.1", 65535)

    with pytest.raises(ListenError):
        await PlainListener(listen, "127.0.0.1", 65535).start()


@pytest.mark.parametrize("reason", ["no_permission", "no_such_address", "failed"])
async def test_no_other_port_is_tried_for_another_reason(listen: Any, reason: str) -> None:
    listen.refuse("192.0.2.1", 80, reason)

    with pytest.raises(ListenError):
        await PlainListener(listen, "192.0.2.1", 80).start()

    assert len(listen.tried) == 1


async def test_close_closes_and_may_be_called_again(listen: Any) -> None:
    plain = PlainListener(listen, "127.0.0.1", 40001)
    await plain.start()

    plain.close()
    plain.close()

    assert plain.in_use == ""
    assert listen.listening == []
