"""Counting what goes wrong, and showing it."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from structlog.testing import capture_logs

from edgecore.observe.metrics import Metrics


def test_bad_input_is_counted_by_module_and_reason(metrics: Metrics) -> None:
    metrics.bad_input("edgehub", "malformed_json", "cloud")
    metrics.bad_input("edgehub", "malformed_json", "cloud")
    metrics.bad_input("edgemesh", "no_ports", "cloud")
    assert metrics.bad_input_counts == {("edgehub", "malformed_json"): 2, ("edgemesh", "no_ports"): 1}


def test_bad_input_is_counted_for_prometheus(metrics: Metrics) -> None:
    metrics.bad_input("edgehub", "malformed_json", "cloud")
    assert b'edgecore_bad_input_total{module="edgehub",reason="malformed_json"} 1.0' in metrics.render()


def test_bad_input_is_one_log_line_that_says_what_and_from_whom(metrics: Metrics) -> None:
    with capture_logs() as lines:
        metrics.bad_input("dns", "label_too_long", "127.0.0.1:5353", bytes=12)
    assert lines == [
        {
            "event": "bad_input",
            "log_level": "warning",
            "module": "dns",
            "reason": "label_too_long",
            "peer": "127.0.0.1:5353",
            "bytes": 12,
        }
    ]


def test_long_details_are_cut_in_the_log(metrics: Metrics) -> None:
    with capture_logs() as lines:
        metrics.bad_input("edgehub", "malformed_json", "cloud", text="x" * 10_000)
    assert lines[0]["text"] == "x" * 200


def test_pulled_families_are_read_at_every_scrape(metrics: Metrics) -> None:
    readings = iter((1.0, 2.0))

    def read() -> Iterator[Metric]:
        yield GaugeMetricFamily("edgecore_depth", "Depth.", value=next(readings))

    metrics.pull(read)
    assert b"edgecore_depth 1.0" in metrics.render()
    assert b"edgecore_depth 2.0" in metrics.render()


def test_two_processes_worth_of_metrics_do_not_meet() -> None:
    one, other = Metrics(), Metrics()
    one.bad_input("edgehub", "malformed_json", "cloud")
    assert other.bad_input_counts == {}
    assert b"malformed_json" not in other.render()


def test_what_no_line_tells_of_is_counted_all_the_same(metrics: Metrics) -> None:
    with capture_logs() as lines:
        metrics.bad_input("dns", "label_too_long", "127.0.0.1:5353", left_out=9)
    assert metrics.bad_input_counts == {("dns", "label_too_long"): 10}
    assert [line["left_out"] for line in lines] == [9]
