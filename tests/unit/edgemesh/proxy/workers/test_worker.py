"""What a worker does with what it is told."""

from typing import Any

import pytest

from edgecore.clock import VirtualClock
from edgecore.modules.edgemesh.names import Endpoint, ServiceKey
from edgecore.modules.edgemesh.proxy.figures.figures import PortFigures
from edgecore.modules.edgemesh.proxy.workers.orders import BadInput, Begin, Checked, PortRemoved, PortSet
from edgecore.modules.edgemesh.proxy.workers.recipe import ProxyRecipe
from edgecore.modules.edgemesh.proxy.workers.worker import ForwardingDuty, RelayedMetrics
from edgecore.modules.edgemesh.upstream.policy import Policy
from tests.support.upstreams import port_spec

WEB = ServiceKey("default", "web")
KEY = (WEB, 80, "tcp")
A, B = Endpoint("10.0.0.1", 1), Endpoint("10.0.0.2", 2)


class Mentioned:
    """The end of a link that nobody listens to."""

    def __init__(self) -> None:
        self.all: list[Any] = []

    def mention(self, what: Any) -> None:
        self.all.append(what)


@pytest.fixture
async def duty():
    duty = ForwardingDuty(Mentioned(), VirtualClock())
    await duty.obey(Begin(ProxyRecipe(processes=2)))
    yield duty
    await duty.stop()


def upstream(duty):
    return duty._upstreams.get(KEY)


async def test_a_worker_has_nothing_to_tell_before_it_has_begun():
    duty = ForwardingDuty(Mentioned(), VirtualClock())
    assert duty.figures() is None
    await duty.stop()


async def test_hosts_are_checked_by_the_node_alone(duty):
    await duty.obey(PortSet(port_spec(WEB, 80, [A, B], policy=Policy(checks="tcp"))))
    assert upstream(duty).spec.policy.checks == "off"
    await duty.obey(Checked(KEY, A, False))
    assert [host.endpoint for host in upstream(duty).available] == [B]
    await duty.obey(Checked(KEY, A, None))
    assert [host.endpoint for host in upstream(duty).available] == [A, B]


async def test_host_that_failed_here_is_back_as_soon_as_a_check_says_so(duty):
    await duty.obey(PortSet(port_spec(WEB, 80, [A, B], policy=Policy(eject_after=1))))
    upstream(duty).failed(upstream(duty).hosts[A], "connect_failed")
    assert [host.endpoint for host in upstream(duty).available] == [B]
    await duty.obey(Checked(KEY, A, True))
    assert [host.endpoint for host in upstream(duty).available] == [A, B]


async def test_checks_of_what_is_not_there_any_more_are_ignored(duty):
    await duty.obey(Checked(KEY, A, False))
    await duty.obey(PortSet(port_spec(WEB, 80, [B])))
    await duty.obey(Checked(KEY, A, False))
    await duty.obey(PortRemoved(KEY))
    await duty.obey(PortRemoved(KEY))
    assert upstream(duty) is None


async def test_figures_of_the_end_are_those_from_before_the_ports_were_closed(duty):
    await duty.obey(PortSet(port_spec(WEB, 80, [A])))
    upstream(duty).answered(200)
    await duty.stop()
    (port,) = duty.figures().ports.values()
    assert port.codes == {200: 1}


async def test_ports_are_told_again_only_when_their_figures_have_changed(duty):
    await duty.obey(PortSet(port_spec(WEB, 80, [A])))
    assert duty.figures().ports == {}
    upstream(duty).answered(200)
    assert list(duty.figures().ports) == [KEY]
    assert duty.figures().ports == {}
    await duty.obey(PortRemoved(KEY))
    assert duty.figures().ports == {KEY: PortFigures(KEY)}
    assert duty.figures().ports == {}


def test_refused_input_is_told_to_the_node():
    link = Mentioned()
    RelayedMetrics(link).bad_input("edgemesh.proxy", "bad_request", "10.0.0.9:1", left_out=2, details="x" * 500)
    assert link.all == [BadInput("edgemesh.proxy", "bad_request", "10.0.0.9:1", 2, {"details": "x" * 200})]
