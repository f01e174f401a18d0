"""What works: each step, and who says so."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from edgecore import kube
from edgecore.modules.edgemesh.explain.explanation import Step
from edgecore.modules.edgemesh.explain.sight import Cloud
from edgecore.modules.edgemesh.names import Endpoint, PodKey, ServiceKey
from edgecore.modules.edgemesh.services import ServiceEntry

NAME = "web.default.svc.cluster.local"
WEB = ServiceKey("default", "web")


def changed(service: kube.Service, annotations: dict[str, str], **spec: Any) -> kube.Service:
    metadata = kube.ServiceMetadata(service.metadata.name, service.metadata.namespace, annotations=annotations)
    return msgspec.structs.replace(service, metadata=metadata, spec=msgspec.structs.replace(service.spec, **spec))


async def test_a_service_by_name_is_explained_from_dns_to_the_next_backend(
    world: Any, web: ServiceEntry, step: Callable[..., Step]
) -> None:
    found = await world.explain(f"http://{NAME}/")

    assert [one.step for one in found.steps] == [
        *("asked", "cloud", "dns", "service", "address"),
        *("port", "interception", "plane", "protocol", "policy", "backend", "backend", "next"),
    ]
    assert {one.state for one in found.steps} == {"ok"}
    assert step(found, "dns").fact == "127.251.0.1 (A, TTL 64 s)"
    assert step(found, "address").fact == "fake IP 127.251.0.1, of the pool 127.251.0.0/16; stored: a restart keeps it"
    assert step(found, "port").fact == "80/tcp http, targetPort 8000"
    assert step(found, "interception").fact == "mode rootless: the proxy listens at 127.251.0.1:80"
    assert step(found, "backend").fact == "pod web-a at 10.0.0.1:31000: in"
    (verdict,) = found.verdicts
    assert verdict.text == "would be answered by web-a at 10.0.0.1:31000"
    assert (found.works, verdict.word, verdict.port) == (True, "answered", "80/tcp")


async def test_whose_turn_it_is_can_be_said_without_taking_it(world: Any, web: ServiceEntry) -> None:
    upstream = world.upstream("web", 80)
    for expected in ("web-a", "web-b", "web-a"):
        found = [(await world.explain("web")).verdicts[0].text for _ in range(2)]
        assert [expected in text for text in found] == [True, True]
        assert upstream.pick(None).backend.pod == expected


async def test_to_be_explained_makes_no_strategy(world: Any, web: ServiceEntry) -> None:
    await world.explain("web")
    assert world.upstream("web", 80)._strategy is None


async def test_tls_to_a_port_of_http_is_the_backends_business_where_the_kernel_moves_the_bytes(
    world: Any, web: ServiceEntry
) -> None:
    assert (await world.explain(f"https://{NAME}:80")).verdicts[0].word == "tls_to_http_port"
    world.places.planes[80] = "kernel"
    assert (await world.explain(f"https://{NAME}:80")).verdicts[0].word == "answered"


@pytest.mark.parametrize(
    ("strategy", "text"),
    [
        ("Random", "one of 2: any, each as likely as the other"),
        ("LeastRequest", "one of 2: the one of two, taken at random, that is likely to answer sooner"),
        ("ConsistentHash", "one of 2: which one depends on the client (policy hash_by)"),
    ],
)
async def test_a_strategy_that_cannot_say_it_says_so(
    world: Any, web: ServiceEntry, step: Callable[..., Step], strategy: str, text: str
) -> None:
    assert web.service is not None
    world.table.put(WEB, changed(web.service, {"edgemesh.kubeedge.io/lb-strategy": strategy}))
    found = await world.explain("web")
    assert step(found, "next").fact == text
    assert found.verdicts[0].text == "would be answered by one of 2 backends: web-a, web-b"


async def test_with_workers_nobody_knows_whose_turn_it_is(
    world: Any, web: ServiceEntry, step: Callable[..., Step]
) -> None:
    world.processes = 2
    assert step(await world.explain("web"), "next").fact == "one of 2: each of 2 processes has a turn of its own"


async def test_each_fact_names_the_message_that_says_so(
    world: Any, web: ServiceEntry, step: Callable[..., Step]
) -> None:
    for row, age in (("default/service/web", 60.0), ("default/podlist/web", 5.0)):
        world.said(row, age)
    world.said("default/listener/default.web", 9.0, source="edgemesh")

    found = await world.explain(NAME)

    (source,) = step(found, "service").sources
    assert (source.kind, source.name, source.age_s, source.stale_s) == ("message", "default/service/web", 60.0, None)
    assert (source.message_id, source.operation) == ("id of default/service/web", "insert")
    assert [one.name for one in step(found, "backend").sources] == ["default/podlist/web"]
    assert [one.name for one in step(found, "address").sources] == ["default/listener/default.web"]


async def test_while_the_cloud_is_away_its_word_is_stale_and_ours_is_not(
    world: Any, web: ServiceEntry, step: Callable[..., Step]
) -> None:
    world.cloud = Cloud("waiting", 180.0, "connection refused", "ws://cloud")
    world.said("default/service/web")
    world.said("default/listener/default.web", source="edgemesh")

    found = await world.explain(NAME)

    assert (step(found, "cloud").state, step(found, "cloud").fact) == ("warning", "away for 3 min")
    assert step(found, "cloud").why[0] == "connection refused"
    assert step(found, "service").sources[0].stale_s == 180.0
    assert step(found, "address").sources[0].stale_s is None
    assert found.works


@pytest.mark.parametrize(
    ("cloud", "fact"),
    [
        (Cloud("waiting", 7.0, sessions=0), "not there since this node started, 7 s ago"),
        (Cloud(), "this node has no link to a cloud"),
    ],
)
async def test_a_cloud_that_was_never_there_is_said_so(
    world: Any, web: ServiceEntry, step: Callable[..., Step], cloud: Cloud, fact: str
) -> None:
    world.cloud = cloud
    assert step(await world.explain("web"), "cloud").fact == fact


async def test_a_newer_word_of_this_nodes_own_pod_is_named(
    world: Any, web: ServiceEntry, make_pod: Callable[..., kube.Pod], step: Callable[..., Step]
) -> None:
    world.said("default/podlist/web")
    world.said("default/pod/web-b")
    newer = make_pod("web-b", "10.0.0.2", (8000, 31000))
    metadata = msgspec.structs.replace(newer.metadata, resource_version="7")
    world.table.set_node_pod(PodKey("default", "web-b"), msgspec.structs.replace(newer, metadata=metadata))

    found = await world.explain("web")

    assert [step(found, "backend", n).sources[0].name for n in (0, 1)] == ["default/podlist/web", "default/pod/web-b"]


async def test_a_pod_that_was_deleted_on_this_node_is_said_to_be_by_this_node(
    world: Any, web: ServiceEntry, step: Callable[..., Step]
) -> None:
    world.table.remove_node_pod(PodKey("default", "web-a"), "", 9)
    found = step(await world.explain("web"), "backend")
    assert (found.fact, found.why) == ("pod web-a: out (terminating)", ("it was told to go",))
    assert (found.sources[0].kind, found.sources[0].value) == ("node", "deleted")


async def test_the_strategy_names_the_annotation_or_the_setting_that_says_so(
    world: Any, web: ServiceEntry, step: Callable[..., Step]
) -> None:
    (setting,) = step(await world.explain("web"), "policy").sources
    assert (setting.kind, setting.name, setting.is_default) == ("setting", "modules.edgeMesh.lbStrategy", True)

    assert web.service is not None
    annotations = {"edgemesh.kubeedge.io/lb-strategy.http": "Random", "edgemesh.kubeedge.io/retries": "5"}
    world.table.put(WEB, changed(web.service, annotations))
    policy = step(await world.explain("web"), "policy")
    assert policy.fact == "Random; retries 5"
    assert [(one.kind, one.name, one.value) for one in policy.sources] == [
        ("annotation", "edgemesh.kubeedge.io/lb-strategy.http", "Random"),
        ("annotation", "edgemesh.kubeedge.io/retries", "5"),
    ]


async def test_session_affinity_is_named_and_a_useless_annotation_is_a_warning(
    world: Any, web: ServiceEntry, step: Callable[..., Step]
) -> None:
    assert web.service is not None
    service = changed(web.service, {"edgemesh.kubeedge.io/retries": "many"}, session_affinity="ClientIP")
    world.table.put(WEB, service)
    policy = step(await world.explain("web"), "policy")
    assert (policy.fact, policy.state) == ("SessionStickiness", "warning")
    assert policy.sources[0].name == "spec.sessionAffinity"
    assert "cannot use annotation edgemesh.kubeedge.io/retries 'many'" in policy.why[0]


@pytest.mark.parametrize(
    ("name", "app_protocol", "fact", "why"),
    [
        ("http-web", "", "treated as HTTP/1.x", "its name says so"),
        ("http-web", "tls", "treated as bytes", "its appProtocol says so"),
        ("http-web", "unheard", "treated as HTTP/1.x", "its name says so"),
        ("main", "", "treated as HTTP/1.x if the first bytes are, else bytes", "the first bytes of each connection do"),
    ],
)
async def test_what_a_port_speaks_and_what_says_so(
    world: Any, step: Callable[..., Step], name: str, app_protocol: str, fact: str, why: str
) -> None:
    port = kube.ServicePort(name, "TCP", 80, 80, app_protocol)
    world.put(kube.Service(kube.ServiceMetadata("one", "default"), kube.ServiceSpec((port,), {"app": "one"})))
    protocol = step(await world.explain("one"), "protocol")
    assert protocol.fact == fact
    assert why in protocol.why[0]


async def test_a_named_target_port_is_resolved_pod_by_pod(
    world: Any, make_service: Callable[..., kube.Service], make_pod: Callable[..., kube.Pod], step: Callable[..., Step]
) -> None:
    pods = [make_pod(name, "10.0.0.1", (8000, 31000 + n)) for n, name in enumerate(("a", "b"))]
    declared = kube.ContainerPort("web", "TCP", 8000, 31000)
    named = msgspec.structs.replace(pods[0], spec=kube.PodSpec((kube.Container("main", (declared,)),)))
    world.put(make_service(WEB, ("http", 80, "web")), named, pods[1])

    found = await world.explain("web")

    assert step(found, "port").why == ("the name web is 8000 in pod a", "pod b has no port of that name and protocol")
    assert step(found, "backend", 1).why == ("none of its containers has a TCP port web (targetPort)",)


async def test_a_pod_with_a_name_of_its_own_is_explained(
    world: Any, web: ServiceEntry, make_named_pod: Callable[..., kube.Pod], step: Callable[..., Step]
) -> None:
    world.name_pod(web, make_named_pod("web-0", "web", "10.0.0.3", (8000, 31000)))
    found = await world.explain(f"web-0.{NAME}:80")
    assert step(found, "service").fact == "pod web-0 of service default/web, which has a name of its own"
    assert found.verdicts[0].text == "would be answered by web-0 at 10.0.0.3:31000"


async def test_a_service_without_a_selector_has_the_addresses_of_its_endpoints(
    world: Any, make_service: Callable[..., kube.Service], step: Callable[..., Step]
) -> None:
    service = changed(make_service(WEB, ("http", 80, 8000)), {}, selector={})
    addresses = (kube.EndpointAddress("192.0.2.7"),)
    subset = kube.EndpointSubset(
        addresses, (kube.EndpointAddress("192.0.2.8"),), (kube.EndpointPort("http", "TCP", 81),)
    )
    world.put(service, endpoints=kube.Endpoints(kube.Metadata("web", "default"), (subset,)))
    world.said("default/endpoints/web")

    found = await world.explain("web:80")

    assert step(found, "backend").fact == "address 192.0.2.7 at 192.0.2.7:81: in"
    assert step(found, "backend", 1).fact == "address 192.0.2.8: out (not_ready_endpoint)"
    assert step(found, "backend").sources[0].name == "default/endpoints/web"


async def test_figures_and_the_last_error_are_told(world: Any, web: ServiceEntry, step: Callable[..., Step]) -> None:
    upstream = world.upstream("web", 80)
    host = upstream.hosts[Endpoint("10.0.0.1", 31000)]
    host.requests = 2
    upstream.answered(200)
    upstream.answered(502)
    host.failed("connect_refused", world.clock.monotonic() - 3)

    found = await world.explain("web")

    assert step(found, "figures").fact == "2 requests (200: 1, 502: 1); errors at backends (connect_refused: 1)"
    assert step(found, "backend").why == ("its last error: connect_refused, 3 s ago",)


async def test_without_a_port_every_port_has_a_verdict(
    world: Any, make_service: Callable[..., kube.Service], make_pod: Callable[..., kube.Pod]
) -> None:
    pod = make_pod("a", "10.0.0.1", (8000, 31000))
    world.put(make_service(WEB, ("http", 80, 8000), ("admin", 81, 9000)), pod)
    found = await world.explain("web")
    assert [(one.port, one.word) for one in found.verdicts] == [("80/tcp", "answered"), ("81/tcp", "no_reachable_pods")]
    assert not found.works
    assert (await world.explain("web:80")).works


async def test_the_kernel_plane_says_why_and_keeps_its_turn_to_itself(
    world: Any, web: ServiceEntry, step: Callable[..., Step]
) -> None:
    world.places.planes[80] = "kernel"
    world.sight = {"mode": "intercept"}
    found = await world.explain("web")
    assert step(found, "plane").fact == "the kernel, by itself"
    assert "no requests of HTTP are seen" in step(found, "plane").why[0]
    assert step(found, "next").fact == "one of 2: the kernel chooses, and does not say whose turn it is"
    assert step(found, "interception").fact == "mode intercept: rules of the kernel catch 127.251.0.1:80"


async def test_as_json_it_is_what_programs_need(world: Any, web: ServiceEntry) -> None:
    world.said("default/podlist/web")
    told = (await world.explain("web:80")).document()
    assert (told["asked"], told["works"]) == ("web:80", True)
    assert told["verdicts"][0]["word"] == "answered"
    backend = next(one for one in told["steps"] if one["step"] == "backend")
    assert backend["values"]["endpoint"] == "10.0.0.1:31000"
    assert list(backend["sources"]) == [
        {
            "kind": "message",
            "name": "default/podlist/web",
            "message_id": "id of default/podlist/web",
            "source": "edgecontroller",
            "operation": "insert",
            "resource": "default/podlist/web",
            "at_ms": 1000,
            "age_s": 1.0,
        }
    ]


@pytest.mark.parametrize(("what", "word"), [("192.0.2.1:53", "dns"), ("192.0.2.1:80", "not_ours")])
async def test_questions_to_a_name_server_of_the_host_are_led_here_and_nothing_else_is(
    world: Any, what: str, word: str
) -> None:
    world.sight = {"mode": "intercept", "name_servers": ("192.0.2.1",)}
    assert [verdict.word for verdict in (await world.explain(what)).verdicts] == [word]
