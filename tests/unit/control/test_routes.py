"""Finding the handler of a request."""

from typing import Any

import pytest

from edgecore.control.routes import ControlRefused, ControlRequest, Routes, find_handler


async def _status(_request: ControlRequest) -> Any:
    return "status"


async def _replay(_request: ControlRequest) -> Any:
    return "replay"


ROUTES: Routes = {("POST", "/v1/replay"): _replay, ("GET", "/v1/status"): _status}


def test_a_route_leads_to_its_handler() -> None:
    assert find_handler(ROUTES, "GET", "/v1/status") is _status


def test_an_unknown_path_is_refused_with_a_list_of_the_routes() -> None:
    with pytest.raises(ControlRefused) as refused:
        find_handler(ROUTES, "GET", "/v1/statsu")
    assert refused.value.status == 404
    assert refused.value.text == (
        "cannot answer GET /v1/statsu: no such route; there are POST /v1/replay, GET /v1/status"
    )


def test_a_wrong_method_is_refused_with_the_right_one() -> None:
    with pytest.raises(ControlRefused, match=r"cannot answer GET /v1/replay: it takes POST") as refused:
        find_handler(ROUTES, "GET", "/v1/replay")
    assert refused.value.status == 405


def test_a_process_without_routes_says_so() -> None:
    with pytest.raises(ControlRefused, match="there are none"):
        find_handler({}, "GET", "/")
