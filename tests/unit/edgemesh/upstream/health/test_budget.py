from hypothesis import given
from hypothesis import strategies as st

from edgecore.modules.edgemesh.upstream.health.budget import RECENT_MAX, Budget
from edgecore.modules.edgemesh.upstream.policy import Policy

POLICY = Policy(retry_budget=0.2, retry_budget_min=3)


def taken(budget: Budget, times: int, now: float, requests: int, active: int = 0, policy: Policy = POLICY) -> int:
    return sum(budget.take(now, requests, active, policy) for _ in range(times))


def test_without_requests_a_few_a_second_are_allowed() -> None:
    budget = Budget(0)

    assert [taken(budget, 10, second, 0) for second in range(5)] == [3, 3, 3, 3, 3]


def test_a_share_of_the_requests_of_late_is_allowed() -> None:
    assert taken(Budget(0), 1000, 0, 1000) == 200


def test_a_share_of_those_under_way_is_allowed_where_these_are_more() -> None:
    assert taken(Budget(0), 1000, 0, 100, active=500) == 100


def test_requests_are_of_late_for_some_seconds_only() -> None:
    budget = Budget(0)
    taken(budget, 1, 0, 1000)

    assert taken(budget, 1000, 60, 1000) == 3


def test_a_long_past_does_not_allow_any_number() -> None:
    assert taken(Budget(0), 10**4, 10**6, 10**9) == RECENT_MAX * 0.2


def test_none_is_allowed_where_the_policy_allows_none() -> None:
    assert taken(Budget(0), 10, 5, 1000, active=10, policy=Policy(retry_budget=0.0, retry_budget_min=0)) == 0


def test_with_everything_failing_repetitions_stay_a_share_of_the_requests() -> None:
    """100 requests a second for a minute, all of which fail and would be tried again."""
    budget, requests, retries = Budget(0), 0, 0
    for tick in range(6000):
        requests += 1
        retries += budget.take(tick / 100, requests, 1, POLICY)

    assert 0.15 < retries / requests < 0.21


@given(
    st.lists(st.tuples(st.floats(0, 30), st.integers(0, 500), st.integers(0, 50), st.integers(0, 100)), max_size=30),
    st.floats(0, 1),
    st.integers(0, 10),
)
def test_never_more_than_the_share_of_all_and_the_few_a_second(
    steps: list[tuple[float, int, int, int]], share: float, few: int
) -> None:
    policy = Policy(retry_budget=share, retry_budget_min=few)
    budget, now, requests, granted, under_way = Budget(0), 0.0, 0, 0, 0
    for passed, new, active, asked in steps:
        now += passed
        requests += new
        under_way += active  # at worst, each step has others under way
        few_before = granted
        granted += taken(budget, asked, now, requests, active, policy)
        a_second_on = passed > 1.001  # now less then is not passed to the last bit
        assert granted - few_before >= min(asked, few if a_second_on or not few_before else 0)

    assert granted <= share * (requests + under_way) + few * (now + 1) + 1
