"""Which names are known, and the ready answers."""

from ipaddress import IPv4Network, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.errors import ConfigError
from edgecore.modules.edgemesh.dns.zone.answers import Reply, decide
from edgecore.modules.edgemesh.dns.zone.nametable import NameTable, Standing
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.published import Published, PublishedPod, PublishedPort

WEB = ServiceKey("default", "web")
FULL = (b"web", b"default", b"svc", b"cluster", b"local")


def known(*services: str, domain: str = "cluster.local") -> NameTable:
    names = NameTable(domain)
    for number, service in enumerate(services, 1):
        name, namespace = service.split(".")
        assert names.set(Published(ServiceKey(namespace, name), f"127.251.0.{number}"))
    return names


def standing(names: NameTable, name: str) -> Standing:
    return names.find(tuple(name.encode().split(b".")) if name else ())[0]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("web.default.svc.cluster.local", Standing.SERVICE),
        ("web.default.svc", Standing.SERVICE),
        ("web.default", Standing.SERVICE),
        ("web", Standing.SERVICE),
        ("WEB.Default.sVc.CLUSTER.local", Standing.SERVICE),
        ("db.prod", Standing.SERVICE),
        ("db", Standing.OUTSIDE),
        ("web.prod", Standing.OUTSIDE),
        ("web.prod.svc", Standing.OUTSIDE),
        ("web.default.pod", Standing.OUTSIDE),
        ("web.default.svc.cluster", Standing.OUTSIDE),
        ("web.default.svc.cluster.local.example", Standing.OUTSIDE),
        ("a.web.default", Standing.OUTSIDE),
        ("xcluster.local", Standing.OUTSIDE),
        ("local", Standing.OUTSIDE),
        ("", Standing.OUTSIDE),
        ("cluster.local", Standing.APEX),
        ("svc.cluster.local", Standing.EMPTY),
        ("default.svc.cluster.local", Standing.EMPTY),
        ("other.svc.cluster.local", Standing.MISSING),
        ("web.prod.svc.cluster.local", Standing.MISSING),
        ("web.default.cluster.local", Standing.MISSING),
        ("a.web.default.svc.cluster.local", Standing.MISSING),
        ("pod.cluster.local", Standing.MISSING),
    ],
)
def test_name_is_what_the_table_makes_of_it(name, expected):
    assert standing(known("web.default", "db.prod"), name) is expected


def test_removed_service_leaves_no_name_and_no_ready_answer(query):
    names = known("web.default")
    names.remove(WEB)
    names.remove(WEB)
    assert len(names) == 0
    assert standing(names, "web.default.svc.cluster.local") is Standing.MISSING
    assert standing(names, "default.svc.cluster.local") is Standing.MISSING
    assert standing(names, "web") is Standing.OUTSIDE
    assert names.ready(query("web.default")) is None


def test_namespace_is_there_as_long_as_a_service_is_in_it():
    names = known("web.default", "db.default")
    names.remove(WEB)
    assert standing(names, "default.svc.cluster.local") is Standing.EMPTY


def test_set_again_gives_the_new_address_and_no_second_entry(query):
    names = known("web.default")
    names.set(Published(WEB, "127.251.9.9"))
    assert len(names) == 1
    reply = names.ready(query("web"))
    assert reply is not None
    assert reply.endswith(bytes((127, 251, 9, 9)))


def test_names_of_different_case_are_one_service():
    names = known("web.default")
    names.set(Published(ServiceKey("Default", "WEB"), "127.251.9.9"))
    assert len(names) == 1
    names.remove(WEB)
    assert len(names) == 0


@pytest.mark.parametrize("name", ["", "a" * 64, "ä", "a.b", "a b", "\0", "a\n", "\ud800"])
def test_name_that_is_no_plain_label_is_not_entered(name):
    names = NameTable()
    assert not names.set(Published(ServiceKey("default", name), "127.251.0.1"))
    assert not names.set(Published(ServiceKey(name, "web"), "127.251.0.1"))
    assert len(names) == 0


def test_name_too_long_with_its_domain_is_not_entered():
    names = NameTable(".".join(["a" * 60] * 3))
    assert not names.set(Published(ServiceKey("b" * 40, "c" * 40), "127.251.0.1"))


def test_name_too_long_with_any_of_the_domains_is_not_entered():
    names = NameTable(domains=[".".join(["a" * 60] * 3)])
    assert not names.set(Published(ServiceKey("b" * 40, "c" * 40), "127.251.0.1"))


@pytest.mark.parametrize("target", [".", "a..b", "a b", "ä.example", ".".join(["a" * 63] * 4)])
def test_alias_of_what_is_no_name_is_not_entered_and_takes_the_service_with_it(target, query):
    names = known("web.default")
    assert not names.set(Published(WEB, None, external_name=target))
    assert len(names) == 0
    assert names.ready(query("web")) is None


@pytest.mark.parametrize(
    "pod",
    [
        PublishedPod("", "127.251.0.9"),
        PublishedPod("a.b", "127.251.0.9"),
        PublishedPod("web-0", "127.251.0"),
        PublishedPod("a" * 64, "127.251.0.9"),
    ],
)
@pytest.mark.parametrize("port", [PublishedPort("a b", "TCP", 80), PublishedPort("a" * 63, "TCP", 80)])
def test_pod_or_port_without_a_proper_name_is_left_out(pod, port, query):
    names = NameTable()
    good = Published(WEB, "127.251.0.1", (PublishedPort("http", "TCP", 80),), (PublishedPod("web-1", "127.251.0.8"),))
    assert names.set(good._replace(ports=(port, *good.ports), pods=(*good.pods, pod)))
    assert names.find(FULL).service == good
    names.remove(WEB)
    assert names.find(FULL).standing is Standing.MISSING


def test_pods_of_one_hostname_are_answered_together_and_are_not_ready(query):
    names = NameTable()
    pods = (PublishedPod("a", "127.251.0.8"), PublishedPod("A", "127.251.0.9"), PublishedPod("b", "127.251.0.7"))
    names.set(Published(WEB, "127.251.0.1", (), pods))
    assert names.ready(query("a.web.default.svc")) is None
    assert names.ready(query("b.web.default.svc")) is not None
    assert names.find((b"A", *FULL)).pods == pods[:2]


def test_change_of_any_part_leaves_nothing_of_the_one_before(query):
    names = NameTable(ipv6_prefix=IPv6Network("fd00::/96"))
    names.serve_pool(IPv4Network("127.251.0.0/16"))
    names.set(Published(WEB, "127.251.0.1", (), (PublishedPod("a", "127.251.0.2"),)))
    names.set(Published(WEB, None, external_name="www.example"))
    assert len(names.ready_answers) == 0
    for pointer in (b"1", b"2"):
        assert names.find((pointer, b"0", b"251", b"127", b"in-addr", b"arpa")).standing is Standing.MISSING
    names.set(Published(WEB, "127.251.0.3"))
    assert names.find(FULL).standing is Standing.SERVICE
    assert names.ready(query("web")) is not None
    assert names.find((b"3", b"0", b"251", b"127", b"in-addr", b"arpa")).standing is Standing.POINTER


@pytest.mark.parametrize(
    ("change", "is_another"),
    [
        (lambda web: web, False),
        (lambda web: web._replace(address="127.251.0.2"), False),
        (lambda web: web._replace(is_ready=False), False),
        (lambda web: web._replace(ports=()), True),
        (lambda web: web._replace(pods=(PublishedPod("a", "127.251.0.9"),)), True),
        (lambda web: web._replace(key=ServiceKey("default", "db")), True),
        (lambda web: web._replace(external_name=".."), True),
    ],
)
def test_version_is_another_when_a_name_comes_or_goes(change, is_another):
    names = NameTable()
    web = Published(WEB, "127.251.0.1", (PublishedPort("http", "TCP", 80),))
    names.set(web)
    before = names.version
    names.set(change(web))
    assert (names.version != before) is is_another


def test_version_is_another_once_names_below_a_service_are_hidden_and_again_once_they_are_not():
    names = NameTable(hide_unready=True)
    web = Published(WEB, "127.251.0.1", (PublishedPort("http", "TCP", 80),))
    names.set(web)
    versions = [names.version]
    for is_ready, expected in ((False, Standing.OUTSIDE), (True, Standing.PORT)):
        names.set(web._replace(is_ready=is_ready))
        assert standing(names, "_http._tcp.web.default") is expected
        versions.append(names.version)
    assert len(set(versions)) == 3


def test_version_is_another_once_a_service_is_gone_and_not_for_one_that_was_not_there():
    names = known("web.default")
    before = names.version
    names.remove(ServiceKey("default", "db"))
    assert names.version == before
    names.remove(WEB)
    assert names.version != before


def test_domain_within_another_has_its_names_to_itself(query):
    names = NameTable("local", domains=["svc.local"])
    names.set(Published(WEB, "127.251.0.1"))
    assert standing(names, "web.default.svc.svc.local") is Standing.SERVICE
    assert standing(names, "web.default.svc.local") is Standing.MISSING
    assert names.ready(query("web.default.svc.local")) is None
    assert names.ready(query("web.default.svc.svc.local")) is not None


def test_address_that_is_none_raises():
    with pytest.raises(ValueError, match="Expected 4 octets"):
        NameTable().set(Published(WEB, "127.251.0"))


@pytest.mark.parametrize("domain", ["", ".", "a..b", "a" * 64, ".".join(["a" * 60] * 4 + ["b"])])
def test_domain_that_is_no_name_is_refused(domain):
    with pytest.raises(ConfigError, match="cannot serve cluster domain"):
        NameTable(domain)


@pytest.mark.parametrize("domain", ["cluster.local.", "Cluster.LOCAL"])
def test_spelling_of_the_domain_does_not_matter(domain):
    assert standing(known("web.default", domain=domain), "web.default.svc.cluster.local") is Standing.SERVICE


def test_short_name_does_not_hide_a_name_of_the_domain():
    names = known("cluster.local", "svc.default", domain="cluster.local")
    assert standing(names, "cluster.local") is Standing.APEX
    assert standing(names, "cluster.local.svc.cluster.local") is Standing.SERVICE
    assert standing(names, "cluster.local.svc") is Standing.SERVICE


@pytest.mark.parametrize("qtype", ["A", "AAAA"])
@pytest.mark.parametrize("opt", ["", "plain", "cookie", "dnssec"])
@pytest.mark.parametrize("flags", [0x0000, 0x0100, 0x0120, 0x0110, 0x0130])
@pytest.mark.parametrize(
    "name", ["web.default.svc.cluster.local", "wEb.Default.SVC.cluster.Local", "web.default", "web"]
)
def test_ready_answer_equals_the_composed_one(name, flags, opt, qtype, query):
    names = known("web.default", "db.prod")
    packet = query(name, qtype, flags=flags, opt=opt)
    ready = names.ready(packet)
    assert ready is not None
    assert decide(packet, names) == Reply(ready, "answered" if qtype == "A" else "nodata")


LABEL = st.sampled_from(["a", "svc", "local", "cluster", "ns", "dns", "default", "hostmaster", "A-b", "x" * 63])
DOMAIN = st.lists(LABEL, min_size=1, max_size=2).map(".".join)


@given(st.data(), DOMAIN, st.lists(st.tuples(LABEL, LABEL), min_size=1, max_size=3))
def test_every_ready_answer_of_any_services_equals_the_composed_one(data, domain, services):
    names = NameTable(domain)
    for number, (namespace, name) in enumerate(services):
        names.set(Published(ServiceKey(namespace, name), f"127.251.1.{number}"))
    namespace, name = data.draw(st.sampled_from(services))
    text = data.draw(
        st.sampled_from([f"{name}.{namespace}.svc.{domain}", f"{name}.{namespace}.svc", f"{name}.{namespace}"])
    )
    labels = [label.encode() for label in data.draw(st.sampled_from([text, text.upper(), text.title()])).split(".")]
    wire = b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
    packet = b"\xab\xcd\x01\x00\0\1\0\0\0\0\0\0" + wire + data.draw(st.sampled_from([b"\0\1\0\1", b"\0\x1c\0\1"]))
    ready = names.ready(packet)
    decision = decide(packet, names)
    if ready is not None:
        assert decision == Reply(ready, "answered" if packet[-3] == 1 else "nodata")
    else:
        assert not isinstance(decision, Reply) or names.find(tuple(labels))[0] is not Standing.SERVICE


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda packet: packet[:-1], id="class cut off"),
        pytest.param(lambda packet: packet + b"x", id="garbage behind"),
        pytest.param(lambda packet: packet[:2] + b"\x03" + packet[3:], id="TC set"),
        pytest.param(lambda packet: packet[:2] + b"\x81" + packet[3:], id="a reply"),
        pytest.param(lambda packet: packet[:4] + b"\0\2" + packet[6:], id="two questions"),
        pytest.param(lambda packet: packet[:10] + b"\0\1" + packet[12:], id="OPT announced and missing"),
        pytest.param(lambda packet: packet[:10] + b"\0\1" + packet[12:] + b"\0" * 11, id="no OPT"),
        pytest.param(lambda packet: packet[:-2] + b"\0\3", id="class CH"),
        pytest.param(lambda packet: packet[:-4] + b"\0\x3c\0\1", id="another type"),
        pytest.param(lambda packet: b"", id="empty"),
    ],
)
def test_question_that_is_not_plain_has_no_ready_answer(change, query):
    assert known("web.default").ready(change(query("web.default"))) is None


@pytest.mark.parametrize(
    "opt",
    [
        "00 0029 04d0 00 01 0000 0000",  # version 1
        "00 0029 04d0 00 00 0000 0001 00",  # a quarter of an option
        "00 0029 04d0 00 00 0000 0008 0003 0000 000c 0001",  # the second of two options longer than is there
        "00 0029 04d0 00 00 0000 0000 00",  # something behind
        "01 0029 04d0 00 00 0000 0000",  # not the root
    ],
)
def test_opt_that_is_not_plain_has_no_ready_answer(opt, query):
    assert known("web.default").ready(query("web.default", opt=bytes.fromhex(opt))) is None
