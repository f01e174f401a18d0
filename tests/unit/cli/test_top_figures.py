"""What a live screen shows, out of two statuses."""

import copy
from typing import Any

import pytest

from edgecore.cli.top_figures import Trouble, Troubles, figures

Status = dict[str, Any]


@pytest.fixture
def later(status: Status) -> Status:
    """The same node two seconds later."""
    status["mesh"]["proxy"] = {"requests": {"default/nginx-svc:12345": {"codes": {"200": 10, "503": 1}}}}
    status["mesh"]["dns"]["queries"] = {"answered": 100}
    now = copy.deepcopy(status)
    now["uptime_s"] += 2
    return now


def test_rates_are_what_was_added_by_the_clock_of_the_node(status: Status, later: Status) -> None:
    box = later["modules"][0]["mailbox"]
    box |= {"sent": 25, "received": 16, "waited_s": 0.75, "dropped": {"full": 2, "late_reply": 1}, "depth": 7}
    later["link"] |= {"sent": 8, "received": 10}
    later["mesh"]["proxy"]["requests"]["default/nginx-svc:12345"]["codes"] = {"200": 14, "503": 3}
    later["mesh"]["dns"]["queries"] = {"answered": 110, "refused": 4}
    later["store"] = {"commits": 4, "waiting": 1}

    shown = figures(later, {**status, "store": {"commits": 2}})

    hub = shown.modules[0]
    assert (hub.sent_s, hub.received_s, hub.waited_ms, hub.dropped, hub.depth) == (10, 5, 50, 3, 7)
    assert (shown.link_sent_s, shown.link_received_s) == (2, 0.5)
    assert (shown.requests_s, shown.requests_all, shown.errors_all) == (3, 17, 3)
    assert (shown.queries, shown.queries_all) == ({"answered": 5, "refused": 2}, 114)
    assert (shown.commits_s, shown.store_waiting) == (1, 1)
    (service,) = shown.services
    assert (service.requests_s, service.errors_s, service.requests) == (3, 1, 17)


@pytest.mark.parametrize("is_restarted", [False, True])
def test_without_an_earlier_status_of_the_same_run_rates_are_0(
    status: Status, later: Status, is_restarted: bool
) -> None:
    before = {**status, "uptime_s": later["uptime_s"] + 5} if is_restarted else None
    shown = figures(later, before)
    assert (shown.requests_s, shown.link_sent_s, shown.modules[0].sent_s) == (0, 0, 0)


def test_a_counter_that_began_anew_is_taken_from_0(status: Status, later: Status) -> None:
    later["link"]["sent"] = 2
    assert figures(later, status).link_sent_s == 1


def test_what_is_not_well_stands_first_then_the_busiest(status: Status, later: Status) -> None:
    well = {"namespace": "default", "fake_ip": "127.251.0.9", "ports": [{"port": 80, "protocol": "UDP", "state": "ok"}]}
    busy = {**well, "name": "busy", "backends": [{"state": "in"}]}
    later["mesh"]["services"] += [
        {**well, "name": "calm"},
        busy,
        {**busy, "name": "alone", "backends": [{"state": "out"}]},
    ]
    later["mesh"]["proxy"]["requests"]["default/busy:80"] = {"endpoints": {"a": 2, "b": 3}}

    services = figures(later, status).services

    assert [one.name.partition("/")[2] for one in services] == ["nginx-svc", "alone", "busy", "calm"]
    assert (services[2].requests, services[2].ports, services[2].backends_in) == (5, "80/UDP", 1)


def test_a_node_without_mesh_and_link_has_figures_too() -> None:
    shown = figures({"node": "n", "uptime_s": 1, "state": "ok"}, None)
    assert (shown.services, shown.modules, shown.queries, shown.link) == ((), (), {}, {})


def test_troubles_are_told_once_when_they_come(status: Status) -> None:
    troubles = Troubles()
    troubles.look(status, 1)
    assert not troubles.latest, "that reason stands on the screen"
    new = "the link to the cloud is connecting"
    for at_ms in (1, 2):
        troubles.look({**status, "reasons": [*status["reasons"], new]}, at_ms)
    assert troubles.latest.pop() == Trouble(1, new)
    assert not troubles.latest

    status["modules"][1]["error"] = "no address"
    status["bad_input"] = {"edgemesh/not_json": 2}
    troubles.look(status, 3)
    status["bad_input"] = {"edgemesh/not_json": 5}
    status["reasons"] = []
    troubles.look(status, 4)
    status["modules"][0]["mailbox"] = {"dropped": {"break": 1}}
    status["mesh"]["proxy"] = {"errors": {"no_backend": 4}}
    status["store"] = {"troubles": {"full": 1}}
    troubles.look(status, 5)

    assert [(trouble.at_ms, trouble.text) for trouble in troubles.latest] == [
        (3, "module edgemesh: no address"),
        (3, "bad input edgemesh/not_json: 2"),
        (4, "bad input edgemesh/not_json: 3"),
        (5, "messages of websocket dropped, break: 1"),
        (5, "requests refused, no_backend: 4"),
        (5, "database full: 1"),
    ]


def test_what_the_log_said_stands_among_it_by_time(status: Status) -> None:
    troubles = Troubles()
    one = {"at": "1970-01-01T00:00:02Z", "level": "error", "logger": "store", "event": "commit_failed", "text": "a=1"}
    status["log"] = [{**one, "count": 3}]
    for at_ms, count in ((1000, 1), (3000, 2)):
        troubles.look({**status, "bad_input": {"edgehub/not_json": count}}, at_ms)
    assert troubles.lately() == [
        Trouble(1000, "bad input edgehub/not_json: 1 before"),
        Trouble(2000, "store commit_failed (3 times) a=1", is_error=True),
        Trouble(3000, "bad input edgehub/not_json: 1"),
    ]


def test_a_node_that_was_started_again_counts_from_0(status: Status) -> None:
    troubles = Troubles()
    for uptime_s, count in ((100.0, 5), (1.0, 2)):
        troubles.look({**status, "uptime_s": uptime_s, "bad_input": {"edgehub/not_json": count}}, 1)
    assert troubles.latest[-1].text == "bad input edgehub/not_json: 2"


def test_what_was_counted_before_anybody_looked_is_said_to_be_of_before(status: Status) -> None:
    troubles = Troubles()
    troubles.look({**status, "reasons": [], "bad_input": {"edgehub/not_json": 2}}, 1)
    assert [trouble.text for trouble in troubles.latest] == ["bad input edgehub/not_json: 2 before"]
