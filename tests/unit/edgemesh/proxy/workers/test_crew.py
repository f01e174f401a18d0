"""What the workers are told, and in which order."""

from typing import Any

import pytest

from edgecore.clock import VirtualClock
from edgecore.modules.edgemesh.names import Endpoint, ServiceKey
from edgecore.modules.edgemesh.proxy.doors.destination import Meant
from edgecore.modules.edgemesh.proxy.figures.figures import HostFigures, PortFigures
from edgecore.modules.edgemesh.proxy.figures.proxyfigures import ProxyFigures
from edgecore.modules.edgemesh.proxy.workers.crew import ForwardingCrew
from edgecore.modules.edgemesh.proxy.workers.orders import (
    AddressOf,
    Begin,
    Checked,
    Listen,
    PortRemoved,
    PortSet,
    Requests,
    Unlisten,
)
from edgecore.modules.edgemesh.proxy.workers.recipe import ProxyRecipe
from edgecore.modules.edgemesh.upstream.policy import Policy
from edgecore.modules.edgemesh.workers.crew import Member
from edgecore.modules.edgemesh.workers.relay import Look
from edgecore.modules.edgemesh.workers.sharing import Sharing
from edgecore.observe.metrics import Metrics
from edgecore.recording.entries import ProxiedRequest
from tests.support.upstreams import fresh_upstreams, port_spec

WEB, DB = ServiceKey("default", "web"), ServiceKey("default", "db")
KEY = (WEB, 80, "tcp")
A, B = Endpoint("10.0.0.1", 1), Endpoint("10.0.0.2", 2)
HERE = Endpoint("127.251.0.1", 80)
CHECKED = Policy(checks="tcp")


class Told(ForwardingCrew):
    """A crew without processes that remembers what they would be told."""

    def __init__(self, upstreams: Any, processes: int = 1) -> None:
        super().__init__(ProxyRecipe(processes=processes), upstreams, VirtualClock(), Metrics())
        self.orders: list[Any] = []
        upstreams.follow(self._pass_on)

    def tell(self, order: Any) -> None:
        self.orders.append(order)

    def since(self) -> list[Any]:
        orders, self.orders = self.orders, []
        return orders


@pytest.fixture
def upstreams():
    return fresh_upstreams()


@pytest.fixture
def crew(upstreams):
    return Told(upstreams)


def check(upstreams, endpoint, well):
    upstreams.get(KEY).hosts[endpoint].checked = well


def test_each_change_is_passed_on_in_order(upstreams, crew):
    spec, less = port_spec(WEB, 80, [A, B]), port_spec(WEB, 80, [A])
    for each in (spec, less, less):
        upstreams.put(each)
    upstreams.remove(KEY)
    assert crew.since() == [PortSet(spec), PortSet(less), PortRemoved(KEY)]


def test_a_crew_of_nobody_follows_no_port_however_often_it_is_started(upstreams):
    followed = []
    upstreams.follow = followed.append
    crew = ForwardingCrew(ProxyRecipe(processes=1), upstreams, VirtualClock(), Metrics())
    for _ in range(3):
        crew.start()
    assert followed == []


def test_a_new_worker_is_told_everything(upstreams, crew):
    web, db = port_spec(WEB, 80, [A]), port_spec(DB, 53, [B], transport="udp", handling="datagrams")
    upstreams.put(web)
    upstreams.put(db)
    crew.listen(HERE, Meant(WEB, HERE), "tcp")
    crew.listen(HERE, Meant(DB, HERE), "udp")
    crew.unlisten(HERE, "udp")
    assert list(crew.everything()) == [
        Begin(ProxyRecipe()),
        PortSet(web),
        PortSet(db),
        Listen(HERE, Meant(WEB, HERE), "tcp"),
    ]


def test_workers_are_told_when_somebody_begins_and_ends_to_look(crew):
    watch, shown, lost = crew._shown_to, [], []
    watch.frame = watch.commit = lambda *_: None
    watch.request = shown.append
    assert list(crew.everything()) == [Begin(ProxyRecipe()), Look(True)]
    watch.lost = lambda *told: lost.append(told)
    request = ProxiedRequest(0, 1, "c", "s", "http")
    crew.take(Member(1), Requests([request, request], 3))
    watch.request = None
    crew.take(Member(1), Requests([request], 3))
    assert crew.since() == [Look(True), Look(False)]
    assert (shown, lost) == ([request, request], [(3, "proxy_worker_not_heard")])


def test_a_new_worker_is_told_whose_the_addresses_are_before_it_listens_for_what_was_led_here(crew):
    crew.listen(HERE, Meant(None, HERE), "tcp")
    crew.own("9.251.0.1", WEB)
    crew.own("9.251.0.2", DB)
    crew.own("9.251.0.2", None)
    crew.own("9.251.0.3", None)
    led = Listen(HERE, Meant(None, HERE), "tcp")
    assert list(crew.everything()) == [Begin(ProxyRecipe()), AddressOf("9.251.0.1", WEB), led]
    assert crew.since() == [
        led,
        AddressOf("9.251.0.1", WEB),
        AddressOf("9.251.0.2", DB),
        AddressOf("9.251.0.2", None),
    ]


def test_what_is_given_up_twice_is_told_once(crew):
    crew.listen(HERE, Meant(WEB, HERE), "tcp")
    crew.unlisten(HERE, "tcp")
    crew.unlisten(HERE, "tcp")
    assert crew.since() == [Listen(HERE, Meant(WEB, HERE), "tcp"), Unlisten(HERE, "tcp")]


def test_findings_of_checks_are_told_once_and_again_when_they_change(upstreams, crew):
    upstreams.put(port_spec(WEB, 80, [A, B], policy=CHECKED))
    crew.since()
    check(upstreams, A, False)
    crew.each_second()
    crew.each_second()
    assert crew.since() == [Checked(KEY, A, False)]
    check(upstreams, A, True)
    check(upstreams, B, True)
    crew.each_second()
    assert crew.since() == [Checked(KEY, A, True), Checked(KEY, B, True)]


def test_findings_are_told_anew_after_a_change_that_may_have_undone_them(upstreams, crew):
    upstreams.put(port_spec(WEB, 80, [A, B], policy=CHECKED))
    check(upstreams, A, False)
    crew.each_second()
    crew.since()
    spec = port_spec(WEB, 80, [A], policy=CHECKED)
    upstreams.put(spec)
    assert crew.since() == [PortSet(spec), Checked(KEY, A, False)]


def test_findings_are_taken_back_when_nobody_checks_any_more(upstreams, crew):
    upstreams.put(port_spec(WEB, 80, [A], policy=CHECKED))
    check(upstreams, A, False)
    crew.each_second()
    crew.since()
    check(upstreams, A, None)
    spec = port_spec(WEB, 80, [A])
    upstreams.put(spec)
    assert crew.since() == [PortSet(spec), Checked(KEY, A, None)]
    crew.each_second()
    assert crew.since() == []


def test_a_new_worker_has_the_findings_that_the_others_have(upstreams, crew):
    spec = port_spec(WEB, 80, [A, B], policy=CHECKED)
    upstreams.put(spec)
    check(upstreams, A, False)
    crew.each_second()
    check(upstreams, B, False)
    assert list(crew.everything())[1:] == [PortSet(spec), Checked(KEY, A, False)]
    crew.since()
    crew.each_second()
    assert crew.since() == [Checked(KEY, B, False)]


@pytest.mark.parametrize(("processes", "sharing"), [(1, Sharing.ALONE), (2, Sharing.FIRST)])
def test_an_address_is_shared_only_if_there_are_workers(upstreams, processes, sharing):
    assert Told(upstreams, processes).sharing is sharing


def test_of_a_worker_that_is_gone_only_what_it_did_is_kept(upstreams, crew):
    upstreams.put(port_spec(WEB, 80, [A]))
    host = HostFigures("a", requests=2, active=1, connections=1, out=1)
    web = PortFigures(KEY, {200: 4}, hosts={str(A): host, str(B): host})
    gone = PortFigures((DB, 53, "udp"), {0: 1})
    kept = crew.lasting(ProxyFigures({web.key: web, gone.key: gone}, {"no_pods": 1}, 9, 3, 2))
    assert (kept.errors, kept.accepted, kept.connections, kept.idle_backends) == ({"no_pods": 1}, 9, 0, 0)
    (port,) = kept.ports.values()
    assert port.codes == {200: 4}
    assert list(port.hosts) == [str(A)]
    assert (port.hosts[str(A)].requests, port.hosts[str(A)].active, port.past.requests) == (2, 0, 2)
    assert port.every_host.requests == 4


def test_what_changed_is_entered_into_what_is_known_of_a_worker(crew):
    web, db = PortFigures(KEY, {200: 4}), PortFigures((DB, 53, "udp"), {0: 1})
    begun = crew.heard(None, ProxyFigures({web.key: web, db.key: db}, {"no_pods": 1}, 9))
    quiet = crew.heard(begun, ProxyFigures({}, {"no_pods": 2}, 10))
    assert quiet == ProxyFigures({web.key: web, db.key: db}, {"no_pods": 2}, 10)
    more = PortFigures(KEY, {200: 5})
    changed = crew.heard(quiet, ProxyFigures({KEY: more, db.key: PortFigures(db.key)}, {}, 11))
    assert changed == ProxyFigures({KEY: more}, {}, 11)
