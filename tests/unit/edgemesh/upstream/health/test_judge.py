"""Ports whose hosts fail: who is left out, for how long, and who comes back."""

import pytest
from structlog.testing import capture_logs

from edgecore.modules.edgemesh.upstream.policy import Policy
from edgecore.modules.edgemesh.upstream.spec import Probe
from tests.support.healthrig import WEB, HealthRig, endpoint
from tests.support.upstreams import asking

ANYBODY = asking()
CHECKED = Policy(checks="tcp")


async def test_a_host_is_left_out_after_so_many_failures_in_a_row_and_not_before(rig: HealthRig) -> None:
    rig.put((1, 2, 3))

    rig.fail(1, 4)
    assert rig.available() == [1, 2, 3]
    rig.fail(1)

    assert rig.available() == [2, 3]
    assert {rig.upstream().choose(ANYBODY) for _ in range(9)} == {rig.host(2), rig.host(3)}
    assert rig.upstream().why(rig.host(1)) == "ejected"
    assert rig.host(1).ejected_until == 30.0
    assert rig.host(1).ejections == 1


async def test_a_success_between_failures_starts_the_count_anew(rig: HealthRig) -> None:
    rig.put((1, 2))

    rig.fail(1, 4)
    rig.serve(1)
    rig.fail(1, 4)

    assert rig.available() == [1, 2]


async def test_no_host_is_left_out_where_the_policy_says_never(rig: HealthRig) -> None:
    rig.put((1, 2), Policy(eject_after=0))

    rig.fail(1, 100)

    assert rig.available() == [1, 2]


async def test_a_host_comes_back_when_its_time_is_over(rig: HealthRig) -> None:
    rig.put((1, 2))
    rig.fail(1, 5)

    await rig.clock.advance(29.9)
    assert rig.available() == [2]
    await rig.clock.advance(0.2)

    assert rig.available() == [1, 2]
    assert rig.upstream().why(rig.host(1)) == "trial"


async def test_one_failure_on_trial_leaves_it_out_twice_as_long_up_to_the_longest(rig: HealthRig) -> None:
    rig.put((1, 2))
    rig.fail(1, 5)
    lasted = [rig.host(1).ejected_until]

    for _ in range(6):
        await rig.clock.advance(lasted[-1])
        rig.fail(1)
        lasted.append(rig.host(1).ejected_until - rig.clock.monotonic())

    assert lasted == [30, 60, 120, 240, 300, 300, 300]


async def test_a_request_served_on_trial_brings_it_in_again(rig: HealthRig) -> None:
    rig.put((1, 2))
    rig.fail(1, 5)
    await rig.clock.advance(31)

    rig.serve(1)
    assert rig.upstream().why(rig.host(1)) == "in"
    rig.fail(1, 4)

    assert rig.available() == [1, 2]


async def test_what_fails_soon_after_the_trial_is_left_out_for_the_longer_time(rig: HealthRig) -> None:
    rig.put((1, 2))
    rig.fail(1, 5)
    await rig.clock.advance(31)
    rig.serve(1)

    rig.fail(1, 5)

    assert rig.host(1).ejected_until == pytest.approx(31 + 60)


async def test_a_host_that_was_well_for_long_is_left_out_as_if_for_the_first_time(rig: HealthRig) -> None:
    rig.put((1, 2))
    rig.fail(1, 5)
    await rig.clock.advance(30)
    rig.fail(1)
    await rig.clock.advance(60)
    rig.serve(1)

    await rig.clock.advance(90)
    rig.fail(1, 5)

    assert rig.host(1).ejected_until == pytest.approx(180 + 30)


async def test_time_without_a_request_does_not_count_as_well(rig: HealthRig) -> None:
    rig.put((1, 2))
    rig.fail(1, 5)

    await rig.clock.advance(10_000)
    rig.fail(1)

    assert rig.host(1).ejected_until == pytest.approx(10_000 + 60)


async def test_requests_that_were_under_way_when_it_was_left_out_count_once(rig: HealthRig) -> None:
    rig.put((1, 2))

    rig.fail(1, 100)

    assert (rig.host(1).ejections, rig.host(1).ejected_until, rig.host(1).failures) == (1, 30.0, 0)


async def test_a_request_that_hung_since_before_it_was_left_out_does_not_spoil_the_trial(rig: HealthRig) -> None:
    upstream = rig.put((1, 2))
    rig.fail(1, 5)
    await rig.clock.advance(31)

    upstream.failed(rig.host(1), "response_timeout", began_at=29.0)
    assert upstream.why(rig.host(1)) == "trial"
    assert rig.host(1).errors == {"connect_failed": 5, "response_timeout": 1}
    upstream.failed(rig.host(1), "response_timeout", began_at=30.5)

    assert upstream.why(rig.host(1)) == "ejected"


async def test_the_only_host_is_never_left_out(rig: HealthRig) -> None:
    rig.put((1,))

    rig.fail(1, 100)

    assert rig.available() == [1]
    assert rig.upstream().why(rig.host(1)) == "in"


@pytest.mark.parametrize(("count", "share", "most"), [(2, 0.1, 1), (2, 0.5, 1), (5, 0.5, 2), (10, 0.5, 5), (4, 1.0, 4)])
async def test_no_more_than_the_share_is_left_out(rig: HealthRig, count: int, share: float, most: int) -> None:
    numbers = range(1, count + 1)
    rig.put(numbers, Policy(eject_max_share=share, panic_share=0.0))

    for number in numbers:
        rig.fail(number, 10)

    assert len(rig.available()) == count - most


async def test_a_host_that_had_to_stay_is_left_out_once_there_is_room(rig: HealthRig) -> None:
    rig.put((1, 2))
    rig.fail(1, 5)
    rig.fail(2, 7)
    assert rig.available() == [2]

    await rig.clock.advance(30)
    rig.serve(1)
    rig.fail(2)

    assert rig.available() == [1]


async def test_where_hosts_leave_those_that_are_left_out_come_back_as_far_as_the_share_wants(rig: HealthRig) -> None:
    rig.put((1, 2, 3, 4))
    rig.fail(1, 5)
    await rig.clock.advance(1)
    rig.fail(2, 5)

    rig.put((1, 2, 3))

    assert rig.available() == [1, 3]
    rig.put((2,))
    assert rig.available() == [2]


async def test_with_too_few_well_all_are_used(rig: HealthRig) -> None:
    rig.put((1, 2, 3), Policy(eject_max_share=1.0, panic_share=0.5))
    rig.fail(1, 5)
    assert rig.available() == [2, 3]

    rig.fail(2, 5)

    assert rig.available() == [1, 2, 3]
    assert [rig.upstream().why(rig.host(n)) for n in (1, 2, 3)] == ["panic", "panic", "in"]
    await rig.clock.advance(30)
    assert not rig.upstream().panicking


async def test_with_all_left_out_and_no_panic_there_is_none_and_a_reason(rig: HealthRig) -> None:
    rig.put((1, 2), Policy(eject_max_share=1.0, panic_share=0.0))
    rig.fail(1, 5)
    rig.fail(2, 5)

    refusal = rig.upstream().pick(ANYBODY)

    assert getattr(refusal, "reason", None) == "all_ejected"


async def test_newer_word_of_the_cloud_ends_what_was_believed(rig: HealthRig) -> None:
    rig.put((1, 2), version="1")
    rig.fail(1, 5)

    rig.put((1, 2, 3), version="1")
    assert rig.available() == [2, 3]
    rig.put((1, 2, 3), version="2")

    assert rig.available() == [1, 2, 3]
    assert rig.upstream().why(rig.host(1)) == "in"
    rig.fail(1, 5)
    assert rig.host(1).ejected_until == 30.0


async def test_one_timer_is_set_for_a_port_however_many_are_left_out(rig: HealthRig) -> None:
    rig.put(range(1, 11))
    assert rig.timers == 0

    for number in (1, 2, 3):
        rig.fail(number, 5)
        await rig.clock.advance(1)
    assert rig.timers == 1
    await rig.clock.advance(27.5)
    assert rig.available() == [1, *range(4, 11)]
    await rig.clock.advance(10)

    assert rig.available() == list(range(1, 11))
    assert rig.timers == 0


async def test_ejection_and_return_are_in_the_log_with_service_host_reason_and_time(rig: HealthRig) -> None:
    rig.put((1, 2))

    with capture_logs() as logs:
        rig.fail(1, 9, "gateway_502")
        await rig.clock.advance(30)

    where = {"service": "default/web", "port": 80, "pod": "web-1", "endpoint": "10.0.0.1:8080"}
    assert logs == [
        {
            "event": "backend_ejected",
            "log_level": "warning",
            "reason": "gateway_502",
            "for_s": 30.0,
            "times": 1,
            **where,
        },
        {"event": "backend_returned", "log_level": "info", "reason": "time_over", **where},
    ]


async def test_with_the_cloud_away_a_dead_pod_is_out_and_back_when_it_is_back(rig: HealthRig) -> None:
    """Nothing is put after the start; requests go on, one every 100 ms."""
    rig.put((1, 2, 3))
    dead, failed = True, []
    for step in range(3000):
        host = rig.upstream().choose(ANYBODY)
        assert host is not None
        number = int(host.endpoint.host[-1])
        if dead and number == 2:
            failed.append(step)
            rig.fail(2)
        else:
            rig.serve(number)
        if step == 1500:
            dead = False
        await rig.clock.advance(0.1)

    assert len(failed) == 5 + 2  # until it is left out, then one each time it is tried: after 30 s and 60 s more
    assert rig.available() == [1, 2, 3]
    assert rig.upstream().why(rig.host(2)) == "in"


async def test_a_host_whose_checks_fail_is_out_until_they_pass_again(rig: HealthRig) -> None:
    rig.put((1, 2, 3), CHECKED)
    rig.answers.errors[endpoint(1)] = "connect_failed"

    with capture_logs() as logs:
        await rig.clock.advance(40)
        assert rig.available() == [2, 3]
        assert rig.upstream().why(rig.host(1)) == "check_failed"
        assert rig.host(1).check_error == "connect_failed"
        del rig.answers.errors[endpoint(1)]
        await rig.clock.advance(11)

    assert rig.available() == [1, 2, 3]
    assert rig.upstream().why(rig.host(1)) == "in"
    assert [(line["event"], line["pod"]) for line in logs] == [
        ("backend_unhealthy", "web-1"),
        ("backend_healthy", "web-1"),
    ]
    assert rig.host(1).requests == 0


async def test_with_all_checks_failing_all_hosts_are_used(rig: HealthRig) -> None:
    rig.put((1, 2, 3), CHECKED)
    rig.answers.errors |= {endpoint(n): "connect_failed" for n in (1, 2, 3)}

    await rig.clock.advance(60)

    assert rig.available() == [1, 2, 3]
    assert {rig.upstream().why(rig.host(n)) for n in (1, 2, 3)} == {"panic"}


async def test_a_host_that_a_check_sees_back_need_not_sit_out_its_time(rig: HealthRig) -> None:
    rig.put((1, 2, 3), Policy(checks="tcp", eject_base_s=300))
    rig.answers.errors[endpoint(1)] = "connect_failed"
    rig.fail(1, 5)
    await rig.clock.advance(40)

    del rig.answers.errors[endpoint(1)]
    await rig.clock.advance(11)

    assert rig.available() == [1, 2, 3]
    assert rig.upstream().why(rig.host(1)) == "trial"


async def test_checks_that_pass_do_not_end_the_time_of_a_host_that_serves_errors(rig: HealthRig) -> None:
    rig.put((1, 2), CHECKED)
    await rig.clock.advance(11)

    rig.fail(1, 5, "gateway_502")
    await rig.clock.advance(20)

    assert rig.available() == [2]


async def test_newer_word_of_the_cloud_ends_what_checks_said_until_they_say_it_again(rig: HealthRig) -> None:
    rig.put((1, 2), CHECKED, version="1")
    rig.answers.errors[endpoint(1)] = "connect_failed"
    await rig.clock.advance(40)
    assert rig.available() == [2]

    rig.put((1, 2), CHECKED, version="2")
    assert rig.available() == [1, 2]

    await rig.clock.advance(40)
    assert rig.available() == [2]


async def test_hosts_that_go_and_ports_that_are_not_checked_any_more_are_let_alone(rig: HealthRig) -> None:
    rig.put((1, 2, 3), CHECKED)
    await rig.clock.advance(11)
    assert len(rig.judge.checker) == 3

    rig.put((1, 2), CHECKED)
    assert len(rig.judge.checker) == 2
    rig.answers.errors[endpoint(1)] = "connect_failed"
    await rig.clock.advance(40)
    rig.put((1, 2), Policy(checks="off"))

    assert len(rig.judge.checker) == 0
    assert rig.available() == [1, 2]
    assert rig.timers == 0


async def test_ports_with_the_same_pod_and_probe_share_its_check(rig: HealthRig) -> None:
    policy, probe = Policy(checks="probe"), Probe("http", port=9000)
    rig.put((1, 2), policy, probe=probe)
    rig.answers.errors[endpoint(1)._replace(port=9000)] = "status_500"
    await rig.clock.advance(40)

    rig.put((1, 2), policy, probe=probe, port=81)

    assert len(rig.judge.checker) == 2
    assert rig.host(1, port=81).checked is False
    assert [host.endpoint for host in rig.upstream(81).available] == [endpoint(2)]
    rig.upstreams.remove((WEB, 80, "tcp"))
    assert len(rig.judge.checker) == 2
