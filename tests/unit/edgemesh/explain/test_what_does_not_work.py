"""What does not work: each outcome with its verdict, the step that is broken, and what is said of it."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from edgecore import kube
from edgecore.clock import VirtualClock
from edgecore.modules.edgemesh.explain.asked import parse
from edgecore.modules.edgemesh.explain.explain import explain
from edgecore.modules.edgemesh.explain.explanation import Explanation, Step
from edgecore.modules.edgemesh.names import Endpoint, ServiceKey
from edgecore.modules.edgemesh.services import ServiceEntry

WEB = ServiceKey("default", "web")


def broken(found: Explanation) -> list[str]:
    return [one.step for one in found.steps if one.state == "broken"]


def told(found: Explanation) -> str:
    return "\n".join(
        [*(one.text for one in found.verdicts), *(line for one in found.steps for line in (one.fact, *one.why))]
    )


@pytest.mark.parametrize(
    ("what", "word", "at", "says"),
    [
        ("wbe.default.svc.cluster.local", "no_such_name", "dns", "did you mean web.default.svc.cluster.local?"),
        ("web.shop.svc.cluster.local", "no_such_name", "dns", "in another namespace: web.default.svc.cluster.local"),
        ("shop/web", "no_such_name", "dns", "in another namespace: web.default.svc.cluster.local"),
        ("qqq.default.svc.cluster.local", "no_such_name", "dns", "`edgecore services` lists the services"),
        ("a.web.default.svc.cluster.local", "no_such_name", "dns", "has no pod and no port of that name"),
        ("www.example.com", "no_such_name", "dns", "forwarded to 192.0.2.53:53, which answered so"),
        ("wbe", "no_such_name", "dns", "did you mean web.default.svc.cluster.local?"),
        ("svc.cluster.local", "no_such_name", "dns", "there are names below it"),
        ("_http._tcp.web.default.svc.cluster.local", "no_such_name", "dns", "which has no record of type A"),
        ("web:81", "port_not_in_service", "port", "service default/web has no port 81"),
        ("web:80/udp", "port_not_in_service", "port", "it has 80/tcp (http)"),
        ("127.251.0.1:81", "port_not_in_service", "port", "would be refused (connection refused)"),
        (
            "127.251.9.9:80",
            "no_such_service",
            "address",
            "127.251.9.9 is of the pool 127.251.0.0/16, and no service has",
        ),
        ("192.0.2.1:80", "not_ours", "address", "192.0.2.1 is none of ours"),
        ("[::1]:80", "not_ours", "address", "::1 is none of ours"),
        ("https://web:80", "tls_to_http_port", "protocol", "would be answered with 400"),
    ],
)
async def test_what_leads_nowhere_says_why(
    world: Any, web: ServiceEntry, what: str, word: str, at: str, says: str
) -> None:
    found = await world.explain(what)
    assert ([one.word for one in found.verdicts], found.works) == ([word], False)
    assert broken(found) == [at]
    assert says in told(found)


async def test_a_name_that_no_name_server_answers_is_explained_so(world: Any, web: ServiceEntry) -> None:
    world.resolver.rcode = 2
    found = await world.explain("www.example.com")
    assert found.verdicts[0].word == "name_servers_fail"
    assert "no name server is known (no_reply)" in told(found)
    assert found.verdicts[0].text == "could not be resolved: no name server answers"


@pytest.mark.parametrize("what", ["wbe", "shop/wbe"])
async def test_a_service_that_there_is_not_is_called_that_also_while_no_name_server_answers(
    world: Any, web: ServiceEntry, what: str
) -> None:
    world.resolver.rcode = 2
    found = await world.explain(what)
    text = "could not be resolved: there is no service of that name here, and no name server answers"
    assert (found.verdicts[0].word, found.verdicts[0].text) == ("name_servers_fail", text)


async def test_for_a_short_name_that_is_like_none_the_list_of_services_is_named(world: Any, web: ServiceEntry) -> None:
    world.resolver.rcode = 2
    assert "`edgecore services` lists the services that there are" in told(await world.explain("quite-another"))


async def test_a_name_of_the_world_outside_goes_past_the_mesh(world: Any, web: ServiceEntry) -> None:
    answer = {"name": "www.example.com.", "ttl": 30, "type": "A", "data": "192.0.2.80"}
    upstream = {"outcome": "miss", "server": "192.0.2.53:53"}
    dns = {"status": "NOERROR", "answer": [answer], "rule": "outside", "why": "not ours", "upstream": upstream}
    found = explain(parse("http://www.example.com"), dns, world._sight(), world._node())
    assert (found.works, found.verdicts[0].word) == (True, "past_the_mesh")
    assert "forwarded to 192.0.2.53:53, which answered so" in told(found)


async def test_before_the_recovery_nobody_is_told_that_something_is_missing(world: Any) -> None:
    world.names.complete = world.table.complete = False
    for what in ("web.default.svc.cluster.local", "127.251.0.1:80"):
        found = await world.explain(what)
        assert ([one.word for one in found.verdicts], found.works) == (["not_recovered"], False)


def pod_with(pod: kube.Pod, **status: Any) -> kube.Pod:
    return msgspec.structs.replace(pod, status=msgspec.structs.replace(pod.status, **status))


@pytest.mark.parametrize(
    ("change", "word", "reason", "why"),
    [
        ({"phase": "Pending"}, "no_running_pods", "not_running", "its phase is Pending, not Running"),
        ({"phase": ""}, "no_running_pods", "no_status", "nobody has said yet that it runs: it has no status"),
        ({"host_ip": ""}, "no_reachable_pods", "no_host_ip", "it says no hostIP, so nobody knows where it is"),
        ({"host_ip": "x"}, "no_reachable_pods", "bad_host_ip", "its hostIP is no IP address"),
        (
            {"conditions": (kube.Condition("Ready", "False"),)},
            "no_reachable_pods",
            "not_ready",
            "its condition Ready is False",
        ),
    ],
)
async def test_a_service_whose_pods_cannot_be_used_says_of_each_why(
    world: Any,
    make_service: Callable[..., kube.Service],
    make_pod: Callable[..., kube.Pod],
    step: Callable[..., Step],
    change: dict[str, Any],
    word: str,
    reason: str,
    why: str,
) -> None:
    world.put(make_service(WEB, ("http", 80, 8000)), pod_with(make_pod("a", "10.0.0.1", (8000, 31000)), **change))
    found = await world.explain("web:80")
    assert found.verdicts[0].word == word
    assert found.verdicts[0].text.startswith(f"would be answered with 503 {word}: none of its pods")
    assert step(found, "backend").fact == f"pod a: out ({reason})"
    assert step(found, "backend").state == "broken"
    assert step(found, "backend").why == (why,)


async def test_a_pod_without_host_port_says_what_to_do(
    world: Any, make_service: Callable[..., kube.Service], make_pod: Callable[..., kube.Pod], step: Callable[..., Step]
) -> None:
    world.put(make_service(WEB, ("http", 80, 8000)), make_pod("a", "10.0.0.1", (8000, 0)))
    (why,) = step(await world.explain("web"), "backend").why
    assert why.startswith("its container port 8000 has no hostPort")
    assert why.endswith("or set modules.edgeMesh.traffic.podAddresses")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("http", "would be answered with 503 no_pods: the service has no pods"),
        ("mysql", "would be accepted and closed at once (no_pods): the service has no pods"),
        ("main", "would be answered with 503 no_pods if it is HTTP, else closed at once: the service has no pods"),
    ],
)
async def test_a_service_without_pods_says_what_a_client_gets(
    world: Any, make_service: Callable[..., kube.Service], step: Callable[..., Step], name: str, text: str
) -> None:
    world.put(make_service(WEB, (name, 80, 8000)))
    found = await world.explain("web")
    assert found.verdicts[0].text == text
    assert (step(found, "backend").fact, step(found, "backend").why) == (
        "no pods",
        ("nobody has said which pods it has",),
    )

    world.table.set_pods(WEB, ())
    assert step(await world.explain("web"), "backend").why == ("the cloud has said that it has none",)


async def test_datagrams_without_a_backend_are_dropped(world: Any) -> None:
    ports = (kube.ServicePort("dns", "UDP", 53, 53), kube.ServicePort("sctp", "SCTP", 53, 53))
    world.put(kube.Service(kube.ServiceMetadata("dns", "default"), kube.ServiceSpec(ports, {"app": "dns"})))
    found = await world.explain("dns")
    assert [(one.port, one.word) for one in found.verdicts] == [("53/udp", "no_pods"), ("53/sctp", "port_not_served")]
    assert "its datagrams are dropped" in told(found)
    assert "the mesh serves TCP and UDP alone" in told(found)


async def test_a_service_without_ports_says_so(world: Any, make_service: Callable[..., kube.Service]) -> None:
    world.put(make_service(WEB))
    found = await world.explain("web")
    assert (found.verdicts[0].word, broken(found)) == ("port_not_in_service", ["port"])
    assert "the service names no ports" in told(found)


@pytest.mark.parametrize(
    ("problem", "text", "advice"),
    [
        ("in_use", "would be answered by another program, or by nobody", "another program has that port"),
        ("no_permission", "would be refused (connection refused)", "CAP_NET_BIND_SERVICE"),
        ("pending", "would be refused (connection refused)", "it is about to be tried"),
    ],
)
async def test_a_port_that_is_not_bound_says_why_and_how_else_it_is_reached(
    world: Any, web: ServiceEntry, problem: str, text: str, advice: str
) -> None:
    world.places.problems[80] = problem
    found = await world.explain("web")
    assert (found.verdicts[0].word, broken(found)) == ("port_not_bound", ["interception"])
    assert found.verdicts[0].text.startswith(text)
    assert advice in told(found)
    assert "curl -x 127.0.0.1:40001 http://web.default:80/" in told(found)


async def test_rules_that_are_amiss_are_told(world: Any, web: ServiceEntry, step: Callable[..., Step]) -> None:
    world.sight = {"mode": "intercept", "findings": ("rule of spot 127.251.0.1:80/tcp is missing",)}
    found = await world.explain("web")
    assert step(found, "interception").state == "warning"
    assert "rule of spot 127.251.0.1:80/tcp is missing" in step(found, "interception").why

    world.places.problems[80] = "no_rule"
    found = await world.explain("web")
    assert step(found, "interception").fact == "mode intercept: no rule of the kernel catches 127.251.0.1:80 (no_rule)"
    text = "would be refused: the mesh has not got the port (no_rule)"
    assert (found.verdicts[0].word, found.verdicts[0].text) == ("port_not_bound", text)


async def test_questions_that_are_not_led_here_are_told(
    world: Any, web: ServiceEntry, step: Callable[..., Step]
) -> None:
    world.led = {"wanted": True, "problem": "cannot lead questions here: no interface has the address 172.17.0.1"}
    found = step(await world.explain("web"), "dns")
    assert (found.state, found.why[-1]) == ("warning", world.led["problem"])


@pytest.mark.parametrize("cut", ["127.251.0.0/16", "127.251.0.1/32", "127.251.0.1"])
async def test_a_port_whose_rules_are_missing_does_not_work(
    world: Any, web: ServiceEntry, cut: str, step: Callable[..., Step]
) -> None:
    world.sight = {"mode": "intercept", "findings": ("there is no route",), "cut": (cut,)}
    found = await world.explain("web")
    assert (found.works, found.verdicts[0].word, broken(found)) == (False, "not_intercepted", ["interception"])
    assert step(found, "interception").why[0] == "there is no route"


async def test_rules_that_are_missing_for_another_port_are_told_and_no_more(world: Any, web: ServiceEntry) -> None:
    world.sight = {"mode": "intercept", "findings": ("it should lead",), "cut": ("127.251.0.9/32",)}
    found = await world.explain("web")
    assert (found.works, broken(found)) == (True, [])


async def test_backends_that_are_all_left_out_say_until_when_and_why(
    world: Any, web: ServiceEntry, vclock: VirtualClock, step: Callable[..., Step]
) -> None:
    upstream = world.upstream("web", 80)
    host = upstream.hosts[Endpoint("10.0.0.1", 31000)]
    host.requests, host.ejections, host.ejected_until = 5, 1, vclock.monotonic() + 30
    host.failed("connect_refused", vclock.monotonic())
    upstream.refresh()

    found = await world.explain("web")

    assert step(found, "backend").fact == "pod web-a at 10.0.0.1:31000: out (ejected)"
    assert step(found, "backend").state == "warning"
    assert step(found, "backend").why == (
        "requests failed there: it is left out for 30 s more",
        "its last error: connect_refused, 0 s ago",
    )
    assert found.verdicts[0].text == "would be answered by web-b at 10.0.0.2:31000"

    upstream.hosts[Endpoint("10.0.0.2", 31000)].checked = False
    upstream.refresh()
    found = await world.explain("web")
    assert "it is used all the same: too few are well (panic-share)" in step(found, "backend").why
    assert (found.works, found.verdicts[0].word) == (False, "backends_fail")
    assert "would be tried at one of 2 backends, and fail as the last time: connect_refused" in told(found)


async def test_a_fake_ip_that_is_not_stored_yet_is_a_warning(
    world: Any, web: ServiceEntry, step: Callable[..., Step]
) -> None:
    assert web.lease is not None
    web.lease.is_stored = False
    assert step(await world.explain("127.251.0.1"), "address").state == "warning"


# Names that stand for others, hosts, addresses that are not fake IPs.


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("one.default.svc.cluster.local", "it stands for a name that leads back to it"),
        ("localhost", "it stands for localhost, which is this host"),
        ("gone.default.svc.cluster.local", "there is no such service"),
    ],
)
async def test_an_external_name_that_leads_nowhere_says_why(
    world: Any, make_external: Callable[..., kube.Service], target: str, why: str
) -> None:
    world.put(make_external(ServiceKey("default", "one"), target))
    host = "one.default.svc.cluster.local"
    by_host = await world.explain("127.0.0.1:40001", host=host)
    assert (by_host.works, broken(by_host)) == (False, ["address"])
    assert why in told(by_host)


async def test_external_names_that_lead_to_each_other_are_told_by_name_as_well(
    world: Any, make_external: Callable[..., kube.Service]
) -> None:
    for name, other in (("one", "two"), ("two", "one")):
        world.put(make_external(ServiceKey("default", name), f"{other}.default.svc.cluster.local"))
    found = await world.explain("one.default.svc.cluster.local")
    assert (found.works, broken(found), found.verdicts[0].word) == (False, ["dns", "service"], "no_such_name")
    assert "an ExternalName that leads back to itself, or to this host" in told(found)


async def test_an_external_name_is_followed_to_the_service_that_it_stands_for(
    world: Any, web: ServiceEntry, make_external: Callable[..., kube.Service], step: Callable[..., Step]
) -> None:
    world.put(make_external(ServiceKey("default", "one"), "web.default.svc.cluster.local"))
    found = await world.explain("one.default.svc.cluster.local:80")
    assert step(found, "service").fact == "default/one, an ExternalName: it stands for service default/web"
    assert found.verdicts[0].text == "would be answered by web-a at 10.0.0.1:31000"


@pytest.mark.parametrize(
    ("port", "word", "text"),
    [
        (80, "answered", "would be answered by web-a at 10.0.0.1:31000"),
        (81, "port_not_in_service", "would be answered with 503 port_not_in_service"),
    ],
)
async def test_an_external_name_at_the_plain_listener_that_stands_for_a_service_of_ours_is_explained_as_that(
    world: Any, web: ServiceEntry, make_external: Callable[..., kube.Service], port: int, word: str, text: str
) -> None:
    world.put(make_external(ServiceKey("default", "one"), "web.default.svc.cluster.local"))
    found = await world.explain("127.0.0.1:40001", host=f"one.default:{port}")
    assert (found.verdicts[0].word, found.works) == (word, word == "answered")
    assert text in told(found)


async def test_an_external_name_at_the_plain_listener_is_forwarded_and_nothing_is_made_for_it(
    world: Any, make_external: Callable[..., kube.Service]
) -> None:
    world.put(make_external(ServiceKey("default", "one"), "www.example.com"))
    found = await world.explain("127.0.0.1:40001", host="one.default:8080")
    assert (found.works, found.verdicts[0].word) == (True, "forwarded_outside")
    assert "would be forwarded to www.example.com:8080" in told(found)
    assert not len(world.table.upstreams)


@pytest.mark.parametrize(
    ("host", "word", "says"),
    [
        ("", "by_host", "would go where its Host header says"),
        ("web", "answered", "would be answered by web-a"),
        ("web:81", "port_not_in_service", "would be answered with 503 port_not_in_service"),
        ("www.example.com", "unknown_service", "would be answered with 503 unknown_service"),
    ],
)
async def test_the_plain_listener_goes_by_the_host_header(
    world: Any, web: ServiceEntry, host: str, word: str, says: str
) -> None:
    found = await world.explain("127.0.0.1:40001", host=host)
    assert found.verdicts[0].word == word
    assert says in told(found)
    assert "interception" not in [one.step for one in found.steps]


@pytest.mark.parametrize(
    ("what", "word", "says"),
    [
        ("10.0.0.1:31000", "past_the_mesh", "10.0.0.1:31000 is pod web-a's own, behind service default/web"),
        ("172.17.0.9:8000", "past_the_mesh", "172.17.0.9:8000 is pod web-c's own, behind service default/web"),
        ("172.17.0.10", "pod_not_running", "would go to pod web-d, which does not run"),
        ("127.0.0.1:10053", "dns", "is answered by this node's DNS"),
    ],
)
async def test_an_address_of_something_else_of_ours_says_what_it_is(
    world: Any, web: ServiceEntry, make_pod: Callable[..., kube.Pod], what: str, word: str, says: str
) -> None:
    with_address = pod_with(make_pod("web-c", "10.0.0.3", (8000, 0)), pod_ip="172.17.0.9")
    ended = pod_with(make_pod("web-d", "10.0.0.3", (8000, 0)), pod_ip="172.17.0.10", phase="Failed")
    world.table.set_pods(WEB, (*(web.pods or ()), with_address, ended))
    found = await world.explain(what)
    assert found.verdicts[0].word == word
    assert says in told(found)
