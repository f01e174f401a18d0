"""The reason of each answer."""

from ipaddress import IPv4Network

import pytest

from edgecore.modules.edgemesh.dns.byhand.explain import explain, service_named
from edgecore.modules.edgemesh.dns.byhand.question import query_packet, type_number, wire_name
from edgecore.modules.edgemesh.dns.packets.packet import Query, read_query
from edgecore.modules.edgemesh.dns.zone.answers import Drop, Reply, decide
from edgecore.modules.edgemesh.dns.zone.nametable import NameTable
from edgecore.modules.edgemesh.dns.zone.search import SearchList
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.published import Published, PublishedPod, PublishedPort

WEB, API, SHOP = ServiceKey("default", "web"), ServiceKey("shop", "api"), ServiceKey("default", "shop")
NONE = ServiceKey("default", "none")
PORTS = (PublishedPort("http", "TCP", 80),)
PODS = (PublishedPod("db-0", "127.251.0.9"),)


@pytest.fixture
def names():
    names = NameTable(domains=["edge.example"])
    names.serve_pool(IPv4Network("127.251.0.0/16"))
    names.set(Published(WEB, "127.251.0.1", PORTS, PODS))
    names.set(Published(API, "127.251.0.2"))
    names.set(Published(SHOP, None, external_name="shop.example.com"))
    return names


@pytest.fixture
def why(names):
    """why(name, type): the reason."""

    def ask(name, qtype="A"):
        packet = query_packet(name, type_number(qtype))
        query = read_query(packet)
        assert isinstance(query, Query)
        return explain(query, decide(packet, names), names)

    return ask


@pytest.mark.parametrize(
    ("name", "qtype", "rule", "service"),
    [
        ("web.default.svc.cluster.local", "A", "service", WEB),
        ("WEB.Default.svc.Cluster.local", "A", "service", WEB),
        ("web.default.svc.edge.example", "A", "service", WEB),
        ("web", "A", "service", WEB),
        ("web.default", "A", "service", WEB),
        ("api.shop.svc", "A", "service", API),
        ("db-0.web.default.svc.cluster.local", "A", "service", WEB),
        ("_http._tcp.web.default.svc.cluster.local", "SRV", "service", WEB),
        ("web.default.svc.cluster.local", "MX", "no_such_type", WEB),
        ("shop.default.svc.cluster.local", "A", "external_name", SHOP),
        ("shop.default.svc.cluster.local", "CNAME", "external_name", SHOP),
        ("1.0.251.127.in-addr.arpa", "PTR", "address", WEB),
        ("9.0.251.127.in-addr.arpa", "PTR", "address", WEB),
        ("7.7.251.127.in-addr.arpa", "PTR", "no_such_service", None),
        ("db-7.web.default.svc.cluster.local", "A", "no_such_part", WEB),
        ("none.default.svc.cluster.local", "A", "no_such_service", NONE),
        ("web.none.svc.cluster.local", "A", "no_such_service", ServiceKey("none", "web")),
        ("web.default.pod.cluster.local", "A", "no_such_service", None),
        ("cluster.local", "SOA", "domain", None),
        ("dns-version.cluster.local", "TXT", "domain", None),
        ("cluster.local", "A", "names_below", None),
        ("shop.svc.cluster.local", "A", "names_below", None),
        ("www.example.com", "A", "outside", None),
        ("example.com", "A", "outside", None),
        ("www", "A", "outside", None),
        ("www.shop", "A", "outside", ServiceKey("shop", "www")),
        (".", "NS", "outside", None),
    ],
)
def test_each_rule_is_named_with_the_service_if_there_is_one(why, name, qtype, rule, service):
    found = why(name, qtype)
    assert (found.rule, found.service) == (rule, service)
    assert found.text


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("db-0.web.default.svc.cluster.local", "a pod of service default/web"),
        ("shop.default", "service default/shop, which stands for shop.example.com"),
        ("none.default.svc.cluster.local", "there is no service default/none here"),
        ("web.default.pod.cluster.local", "services are <service>.<namespace>.svc.cluster.local"),
        ("www.shop", "it would be short for service shop/www, which there is not"),
        ("www.example.com", "the name is not below cluster.local or edge.example"),
    ],
)
def test_what_was_looked_for_is_named(why, name, words):
    assert words in why(name).text


@pytest.mark.parametrize("name", ["web.default.svc.cluster.local", "db-0.web.default.svc.cluster.local"])
def test_what_resolves_and_is_not_ready_says_so(names, why, name):
    assert "ready" not in why(name).text
    names.set(Published(WEB, "127.251.0.1", PORTS, (PODS[0]._replace(is_ready=False),), is_ready=False))
    assert "ready: edgecore status says why" in why(name).text


def test_a_service_that_is_hidden_as_it_is_not_ready_is_not_said_to_be_missing():
    names = NameTable(hide_unready=True)
    names.set(Published(WEB, "127.251.0.1", is_ready=False))
    query = read_query(query_packet("web.default.svc.cluster.local", 1))
    found = explain(query, decide(query_packet("web.default.svc.cluster.local", 1), names), names)
    assert found.rule == "no_such_service"
    assert found.text.startswith("service default/web has no backend that is ready")


def test_a_name_of_the_domain_before_all_services_are_known_is_recovering(names, why):
    names.complete = False
    assert why("none.default.svc.cluster.local").rule == "recovering"
    assert why("web.default.svc.cluster.local").rule == "service"


@pytest.mark.parametrize("name", ["api.shop.default.svc.cluster.local", "www.example.com.default.svc.cluster.local"])
def test_the_first_name_of_a_search_says_that_its_end_is_answered(names, why, name):
    names.search = SearchList(("corp.example",))
    assert why(name).rule == "search"


def test_names_that_lead_to_each_other_say_so(names, why):
    names.set(Published(SHOP, None, external_name="shop.default.svc.cluster.local"))
    assert why("shop.default.svc.cluster.local").text == "too many names lead to each other"


@pytest.mark.parametrize("decision", [Drop("short"), Reply(b"", "refused"), Reply(b"", "formerr", "bad_label")])
def test_what_is_not_answered_says_so(names, decision):
    assert explain(Query((b"web",), 1, 1, 12), decision, names).rule == "not_answered"


@pytest.mark.parametrize(
    ("name", "service"),
    [
        ("_http._tcp.web.default.svc.cluster.local", WEB),
        ("db-0.web.default.svc", WEB),
        ("web.default", WEB),
        ("web", None),
        ("svc.cluster.local", None),
        ("default.svc.cluster.local", None),
        ("a.b.c", None),
        ("svc", None),
    ],
)
def test_the_service_is_before_its_namespace_and_svc(name, service):
    wire = wire_name(name)
    labels = []
    while wire[0]:
        labels.append(wire[1 : 1 + wire[0]])
        wire = wire[1 + wire[0] :]
    assert service_named(tuple(labels), ((b"cluster", b"local"),)) == service
