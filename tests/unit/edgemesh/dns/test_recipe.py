"""What one of many processes has of a limit."""

import pytest

from edgecore.modules.edgemesh.dns.recipe import LEAST_IN_FLIGHT, Recipe
from edgecore.modules.edgemesh.dns.resolver.resolved import ResolverSettings


@pytest.mark.parametrize(("processes", "cache", "in_flight"), [(1, 100, 512), (3, 34, 171), (64, 2, LEAST_IN_FLIGHT)])
def test_process_has_its_part_but_enough_for_one_client_s_burst(processes, cache, in_flight):
    recipe = Recipe(processes=processes, resolving=ResolverSettings(cache_size=100))
    assert recipe.share(recipe.resolving.cache_size) == cache
    assert recipe.in_flight_limit == in_flight


def test_limit_that_is_small_stays_so():
    assert Recipe(processes=4, resolving=ResolverSettings(in_flight_limit=2)).in_flight_limit == 2


def test_cache_that_is_turned_off_is_so_in_each_process():
    assert Recipe(processes=4).share(0) == 0
