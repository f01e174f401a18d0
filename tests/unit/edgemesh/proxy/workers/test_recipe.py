"""What one of several processes has of the limits."""

import pytest

from edgecore.modules.edgemesh.proxy.limits import ProxyLimits
from edgecore.modules.edgemesh.proxy.workers.recipe import LEAST, ProxyRecipe


@pytest.mark.parametrize(("processes", "each"), [(1, 10_000), (2, 5000), (3, 3334), (1000, LEAST)])
def test_processes_share_the_connections(processes, each):
    recipe = ProxyRecipe(limits=ProxyLimits(max_connections=10_000), processes=processes)
    assert recipe.share.max_connections == each


def test_a_limit_below_the_least_is_that_of_each_process():
    assert ProxyRecipe(limits=ProxyLimits(max_connections=5), processes=4).share.max_connections == 5


def test_what_is_no_number_of_things_is_the_same_in_each_process():
    limits = ProxyLimits(max_header_bytes=1000, idle_timeout_s=7.0)
    share = ProxyRecipe(limits=limits, processes=4).share
    assert (share.max_header_bytes, share.idle_timeout_s) == (1000, 7.0)
