"""Which ports the kernel balances by itself, and the word why not."""

import re
from typing import Any, get_args

import pytest

from edgecore.modules.edgemesh.intercept.kernel.planes import (
    GIVEN_UP,
    MAX_TARGETS,
    WHY_PROXY,
    Unable,
    decide,
    explain,
)
from edgecore.modules.edgemesh.names import Endpoint, ServiceKey
from edgecore.modules.edgemesh.upstream.policy import Policy
from edgecore.modules.edgemesh.upstream.spec import Backend, Handling, PortSpec

WEB = ServiceKey("default", "web")
ONE = ("10.0.0.1",)


def spec(handling: Handling = "bytes", hosts: tuple[str, ...] = ONE, **policy: Any) -> PortSpec:
    backends = tuple(Backend(host, Endpoint(host, 8080)) for host in hosts)
    transport = "udp" if handling == "datagrams" else "tcp"
    return PortSpec(WEB, 80, transport, handling, backends, Policy(**policy))


KERNEL = [
    spec(),
    spec("datagrams"),
    spec(strategy="Random"),
    spec(strategy="SessionStickiness", hash_by="source"),
    spec("datagrams", strategy="SessionStickiness", hash_by="source"),
    spec(plane="kernel"),
    spec("http", plane="kernel"),
    spec("sniff", plane="kernel"),
    spec(hosts=tuple(f"10.0.{n >> 8}.{n & 255}" for n in range(MAX_TARGETS))),
]

PROXY = [
    ("http", spec("http")),
    ("sniff", spec("sniff")),
    ("annotation", spec(plane="proxy")),
    ("annotation", spec("http", plane="proxy")),
    ("strategy", spec(strategy="LeastRequest")),
    ("strategy", spec(strategy="ConsistentHash")),
    ("strategy", spec(strategy="SessionStickiness", hash_by="header", hash_name="x")),
    ("strategy", spec("http", strategy="SessionStickiness", hash_by="cookie", plane="kernel")),
    ("no_backend", spec(hosts=())),
    ("external", spec(hosts=("db.example.org",))),
    ("external", spec(hosts=("10.0.0.1", "db.example.org"))),
    ("ipv6", spec(hosts=("10.0.0.1", "fd00::1"))),
    ("loopback", spec(hosts=("127.0.0.1",))),
    ("too_many_backends", spec(hosts=tuple(f"10.0.{n >> 8}.{n & 255}" for n in range(MAX_TARGETS + 1)))),
]


@pytest.mark.parametrize("port", KERNEL)
def test_the_kernel_serves_what_needs_no_look_into_its_bytes(port: PortSpec) -> None:
    assert decide(port) == ("kernel", "")


@pytest.mark.parametrize(("reason", "port"), PROXY)
def test_the_proxy_serves_the_others_and_a_word_says_why(reason: str, port: PortSpec) -> None:
    assert decide(port) == ("proxy", reason)


@pytest.mark.parametrize("unable", [word for word in get_args(Unable) if word])
@pytest.mark.parametrize("port", [spec(), spec("http"), spec(plane="kernel")])
def test_a_node_without_the_kernel_plane_says_so_at_every_port(unable: Unable, port: PortSpec) -> None:
    assert decide(port, unable) == ("proxy", unable)


def test_backends_that_are_out_are_not_looked_at() -> None:
    backends = (Backend("a", None, "not_running"), Backend("b", Endpoint("10.0.0.2", 80)))

    assert decide(PortSpec(WEB, 80, "tcp", "bytes", backends)) == ("kernel", "")


def test_every_word_is_explained_to_people() -> None:
    for word, text in WHY_PROXY.items():
        assert re.fullmatch("[a-z][a-z0-9_]*", word)
        assert explain(word, "bytes") == text
    assert {reason for reason, _ in PROXY} <= set(WHY_PROXY)


@pytest.mark.parametrize(("handling", "text"), [("http", GIVEN_UP), ("sniff", GIVEN_UP), ("bytes", "")])
def test_http_in_the_kernel_says_what_is_given_up(handling: Handling, text: str) -> None:
    assert explain("", handling) == text
