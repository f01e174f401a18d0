"""How a pod's search list goes on, and what its first question is answered with."""

from ipaddress import IPv4Network

import pytest

from edgecore.modules.edgemesh.dns.zone.aliases import Chase
from edgecore.modules.edgemesh.dns.zone.answers import Forward, Reply, decide
from edgecore.modules.edgemesh.dns.zone.nametable import NameTable
from edgecore.modules.edgemesh.dns.zone.search import DOMAINS_LIMIT, SearchList
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.published import Published

DOMAIN = (b"Cluster", b"local")


@pytest.fixture
def names() -> NameTable:
    table = NameTable(search=SearchList(["corp.example", "not a name", "lab.example."]))
    table.serve_pool(IPv4Network("127.251.0.0/16"))
    table.set(Published(ServiceKey("default", "web"), "127.251.0.1"))
    table.set(Published(ServiceKey("prod", "db"), "127.251.0.2"))
    table.set(Published(ServiceKey("prod", "site"), None, external_name="www.example"))
    return table


def test_list_goes_on_in_the_cluster_spelled_as_it_was_asked():
    asked = (b"wEb", b"prod", b"default", b"SVC", *DOMAIN)
    assert list(SearchList().in_cluster(asked, DOMAIN)) == [
        (b"wEb", b"prod", b"SVC", *DOMAIN),
        (b"wEb", b"prod", *DOMAIN),
    ]


def test_list_ends_with_the_host_s_domains_and_the_bare_name():
    search = SearchList(["a", "b.c"])
    assert search.outside((b"x", b"y")) == ((b"x", b"y", b"a"), (b"x", b"y", b"b", b"c"), (b"x", b"y"))


def test_names_that_get_too_long_and_domains_beyond_the_limit_are_left_out():
    long = tuple([b"a" * 60] * 4)
    assert SearchList(["d" * 60]).outside(long) == (long,)
    assert len(SearchList([f"d{number}" for number in range(40)]).outside((b"x",))) == DOMAINS_LIMIT + 1


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("web.default.prod.svc.cluster.local", "CNAME=web.default.svc.cluster.local./5 A=127.251.0.1/64"),
        ("db.prod.svc.default.svc.cluster.local", "CNAME=db.prod.svc.cluster.local./5 A=127.251.0.2/64"),
        ("db.prod.svc.cluster.local.default.svc.Cluster.local", "CNAME=db.prod.svc.cluster.local./5 A=127.251.0.2/64"),
        ("dns-version.default.svc.cluster.local", "CNAME=dns-version.cluster.local./5 SOA:cluster.local./5"),
    ],
)
def test_first_question_for_a_name_of_the_cluster_is_answered_with_it(name, expected, names, query, shown):
    decision = decide(query(name), names)
    assert isinstance(decision, Reply)
    assert shown(decision.packet) == f"aa rd ra rcode=0 {expected}"


def test_type_that_the_name_does_not_have_is_nodata_of_the_name(names, query, shown):
    decision = decide(query("web.default.prod.svc.cluster.local", "AAAA"), names)
    assert isinstance(decision, Reply)
    expected = "aa rd ra rcode=0 CNAME=web.default.svc.cluster.local./5 SOA:cluster.local./5"
    assert shown(decision.packet) == expected


def test_first_question_for_a_name_outside_asks_the_upstream_servers_to_the_end(names, query, shown):
    decision = decide(query("www.example.default.svc.cluster.local"), names)
    assert isinstance(decision, Chase)
    assert [b".".join(target) for target in decision.targets] == [
        b"www.example.corp.example",
        b"www.example.lab.example",
        b"www.example",
    ]
    assert shown(decision.missing) == "aa rd ra rcode=3 SOA:cluster.local./5"


def test_search_that_ends_with_an_alias_goes_on_outside(names, query):
    decision = decide(query("site.prod.default.svc.cluster.local"), names)
    assert isinstance(decision, Chase)
    assert [(b".".join(alias.owner), b".".join(alias.target)) for alias in decision.aliases] == [
        (b"site.prod.default.svc.cluster.local", b"site.prod.svc.cluster.local"),
        (b"site.prod.svc.cluster.local", b"www.example"),
    ]


@pytest.mark.parametrize(
    ("name", "qtype"),
    [
        ("www.example.other.svc.cluster.local", "A"),  # no such namespace, so no pod in it
        ("www.example.svc.cluster.local", "A"),  # the second question, or a name of the namespace "example"
        ("www.example.cluster.local", "A"),
        ("default.svc.cluster.local.default.svc.cluster.local", "A"),  # ends with a name of ours without a record
        ("no.default.svc.cluster.local.default.svc.cluster.local", "A"),
        ("9.9.251.127.in-addr.arpa.default.svc.cluster.local", "A"),
        ("www.example.default.svc.cluster.local", "ANY"),
    ],
)
def test_other_name_that_is_missing_stays_so(name, qtype, names, query, shown):
    decision = decide(query(name, qtype), names)
    assert isinstance(decision, Reply)
    assert shown(decision.packet) == "aa rd ra rcode=3 SOA:cluster.local./5"


def test_what_exists_is_no_search(names, query, shown):
    decision = decide(query("web.default.svc.cluster.local"), names)
    assert isinstance(decision, Reply)
    assert shown(decision.packet) == "aa rd ra rcode=0 A=127.251.0.1/64"
    assert isinstance(decide(query("www.example"), names), Forward)


def test_while_the_table_is_incomplete_no_search_is_ended(names, query):
    names.complete = False
    decision = decide(query("www.example.default.svc.cluster.local"), names)
    assert isinstance(decision, Reply)
    assert decision.outcome == "failed"


def test_unless_set_the_first_question_of_a_search_is_missing(query):
    names = NameTable()
    names.set(Published(ServiceKey("default", "web"), "127.251.0.1"))
    decision = decide(query("web.default.default.svc.cluster.local"), names)
    assert isinstance(decision, Reply)
    assert decision.outcome == "nxdomain"
