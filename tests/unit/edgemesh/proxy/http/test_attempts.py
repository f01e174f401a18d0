"""Which hosts a request is sent to, and what is said of them."""

import pytest

from edgecore.modules.edgemesh.names import Endpoint, ServiceKey
from edgecore.modules.edgemesh.proxy.http.attempts import Attempts, start
from edgecore.modules.edgemesh.proxy.http.requesthead import RequestHead, read_request
from edgecore.modules.edgemesh.upstream.host import Host
from edgecore.modules.edgemesh.upstream.policy import Policy
from edgecore.modules.edgemesh.upstream.upstream import Upstream
from tests.support.upstreams import FixedAsking, fresh_upstreams, port_spec

ENDPOINTS = [Endpoint(f"10.0.0.{number}", 80) for number in (1, 2, 3)]


class Asked(FixedAsking):
    upstream: Upstream
    request: RequestHead

    def head(self) -> bytes:
        return self.request.ready


def attempts_of(number: int = 3, *, method: bytes = b"GET", retries: int = 2) -> tuple[Attempts, list[Host]]:
    policy = Policy(retries=retries, eject_after=0)
    upstream = fresh_upstreams().put(port_spec(ServiceKey("d", "s"), 80, ENDPOINTS[:number], policy=policy))
    request = read_request(method + b" / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert isinstance(request, RequestHead)
    asked = Asked()
    object.__setattr__(asked, "upstream", upstream)
    object.__setattr__(asked, "request", request)
    host = upstream.choose(asked, ())
    assert host is not None
    start(host)
    return Attempts(asked, host, 0.0), list(upstream.hosts.values())


def test_request_that_was_not_sent_goes_to_other_hosts_while_the_policy_allows_it() -> None:
    attempts, hosts = attempts_of(method=b"POST")
    for other in hosts[1:]:
        attempts.failed("connect_failed")
        assert attempts.again(1.0, sent=False)
        assert attempts.host is other
    attempts.failed("connect_failed")
    assert not attempts.again(1.0, sent=False)
    assert [(host.requests, host.active, host.errors) for host in hosts] == [(1, 0, {"connect_failed": 1})] * 3
    assert (attempts.retries, attempts.upstream.retries) == (2, 2)


@pytest.mark.parametrize(
    ("method", "again"),
    [(b"GET", True), (b"HEAD", True), (b"PUT", True), (b"DELETE", True), (b"POST", False), (b"PATCH", False)],
)
def test_request_that_was_sent_goes_to_another_host_if_that_does_no_harm(method: bytes, again: bool) -> None:
    attempts, _ = attempts_of(method=method)
    attempts.failed("backend_closed")
    assert attempts.again(1.0, sent=True) is again


def test_the_only_host_is_not_tried_again() -> None:
    attempts, _ = attempts_of(1)
    attempts.failed("connect_failed")
    assert not attempts.again(1.0, sent=False)
    assert attempts.upstream.retries == 0


def test_policy_without_retries_allows_none() -> None:
    attempts, _ = attempts_of(retries=0)
    attempts.failed("connect_failed")
    assert not attempts.again(1.0, sent=False)


def test_budget_that_is_used_up_allows_none() -> None:
    attempts, _ = attempts_of()
    while attempts.upstream.may_retry():
        pass
    attempts.failed("connect_failed")
    assert not attempts.again(1.0, sent=False)


def test_host_that_is_slow_to_accept_is_left_for_another_if_there_is_one() -> None:
    attempts, hosts = attempts_of(2, method=b"POST")
    assert attempts.elsewhere(1.0)
    assert attempts.host is hosts[1]
    assert not attempts.elsewhere(2.0)
    assert [(host.active, host.errors) for host in hosts] == [(0, {"connect_slow": 1}), (1, {})]
    assert (attempts.retries, attempts.upstream.retries) == (1, 0)


def test_slow_hosts_are_left_for_others_while_the_policy_allows_it() -> None:
    attempts, hosts = attempts_of(3, retries=1)
    assert attempts.elsewhere(1.0)
    assert not attempts.elsewhere(2.0)
    attempts.failed("connect_timeout")
    assert not attempts.again(5.0, sent=False)
    assert [host.errors for host in hosts] == [{"connect_slow": 1}, {"connect_timeout": 1}, {}]


def test_time_to_the_first_byte_counts_for_the_host_that_answers() -> None:
    attempts, (first, second, _) = attempts_of()
    attempts.failed("connect_failed")
    attempts.again(2.0, sent=False)
    attempts.answers(2.5)
    attempts.answers(9.0)
    assert (sum(first.latency), second.latency_sum_s, second.ewma_s) == (0, 0.5, 0.5)


@pytest.mark.parametrize(("status", "reason"), [(502, "gateway_502"), (503, "gateway_503"), (504, "gateway_504")])
def test_gateway_error_of_the_host_speaks_against_it(status: int, reason: str) -> None:
    attempts, (host, *_) = attempts_of()
    attempts.ended(status)
    assert (host.errors, host.failures, host.active) == ({reason: 1}, 1, 0)


@pytest.mark.parametrize("status", [200, 404, 500])
def test_any_other_answer_speaks_for_it(status: int) -> None:
    attempts, (host, *_) = attempts_of()
    host.failures = 3
    attempts.ended(status)
    assert (host.failures, host.active) == (0, 0)


def test_request_that_is_given_up_speaks_neither_for_nor_against_it() -> None:
    attempts, (host, *_) = attempts_of()
    host.failures = 3
    attempts.given_up()
    attempts.given_up()
    assert (host.failures, host.active, host.errors) == (3, 0, {})
