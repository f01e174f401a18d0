"""Limits of the proxy, fitted to the files that may be open."""

import pytest

from edgecore.modules.edgemesh.proxy.limits import ProxyLimits, fitting


def test_with_many_files_the_limits_are_those_that_were_set() -> None:
    assert fitting(ProxyLimits(), 65_536) == ProxyLimits()


@pytest.mark.parametrize("files", [1, 64, 256, 1024, 4096, 20_000])
def test_with_few_files_clients_and_their_backends_leave_some_to_the_others(files: int) -> None:
    limits = fitting(ProxyLimits(), files)
    assert limits.max_connections >= 1
    assert limits.max_flows >= 1
    if files >= 64:
        assert 2 * limits.max_connections + limits.max_flows <= files - min(1024, files // 4)


def test_a_limit_that_was_set_lower_stays() -> None:
    limits = fitting(ProxyLimits(max_connections=7, max_flows=5), 1024)
    assert (limits.max_connections, limits.max_flows) == (7, 5)
