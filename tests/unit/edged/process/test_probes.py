"""Probes: their defaults, where they ask, and what follows from the answers."""

from typing import Any

import pytest

from edgecore.modules.edged.process.probes import ExecTarget, HttpTarget, ProbePlan, Tally, TcpTarget, plan_probe

PORTS = [{"name": "web", "containerPort": 80, "hostPort": 8080}]


@pytest.fixture
def planned(make_pod: Any) -> Any:
    def plan(at_host_port: bool = False, **probe: Any) -> ProbePlan:
        (container,) = make_pod({"ports": PORTS, "livenessProbe": probe}).spec.containers
        return plan_probe(container.liveness_probe, container, at_host_port=at_host_port)

    return plan


def test_defaults_are_those_of_kubernetes(planned: Any) -> None:
    assert planned(tcpSocket={"port": 1})[1:] == (0, 10, 1, 1, 3)


@pytest.mark.parametrize(
    ("port", "at_host_port", "asked"),
    [(80, False, 80), ("web", False, 80), (80, True, 8080), ("web", True, 8080), ("81", True, 81), ("no", True, None)],
)
def test_the_port_is_where_the_process_listens(planned: Any, port: Any, at_host_port: bool, asked: int | None) -> None:
    target = planned(at_host_port, tcpSocket={"port": port}).target
    assert target == (None if asked is None else TcpTarget("127.0.0.1", asked))


def test_a_probe_has_the_target_of_its_action(planned: Any) -> None:
    assert planned(exec={"command": ["a", "b"]}).target == ExecTarget(("a", "b"))
    http = planned(httpGet={"port": "web", "path": "x", "scheme": "HTTPS", "host": "h"}).target
    assert http == HttpTarget("https", "h", 80, "/x", ())
    assert planned().target is None


def test_a_verdict_takes_as_many_answers_in_a_row_as_the_thresholds_say() -> None:
    plan = ProbePlan(None, 0, 1, 1, 2, 3)
    tally, found = Tally(found=False), []
    for answer in (True, True, False, False, True, False, False, False):
        tally = tally.after(plan, answer)
        found.append(tally.found)
    assert found == [False, True, True, True, True, True, True, False]
