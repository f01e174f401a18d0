"""The figures of DeviceTwin for Prometheus."""

from collections.abc import Iterator
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric


def families(status: dict[str, Any]) -> Iterator[Metric]:
    """Yield the families out of the module's status."""
    yield GaugeMetricFamily("edgecore_devices", "Devices of the node.", value=status["devices"])
    yield GaugeMetricFamily("edgecore_device_twins", "Their twins, without those deleted.", value=status["twins"])
    yield GaugeMetricFamily(
        "edgecore_device_twins_differ", "Twins that are not as the cloud wants them.", value=status["twins_differ"]
    )
    yield GaugeMetricFamily(
        "edgecore_device_twins_set_here",
        "Twins that a program on MQTT has set, so that the cloud cannot.",
        value=status["twins_set_here"],
    )
    yield CounterMetricFamily(
        "edgecore_device_wishes_unheeded",
        "Wishes of the cloud under an older version than the one here.",
        value=status["wishes_unheeded"],
    )
    requests = CounterMetricFamily("edgecore_device_requests", "Requests of devices and cloud.", labels=("action",))
    for action, number in sorted(status["requests"].items()):
        requests.add_metric((action,), number)
    yield requests
    yield CounterMetricFamily("edgecore_device_reports", "Reports to the cloud.", value=status["reported"])
    yield CounterMetricFamily("edgecore_device_reports_resent", "Reports that were sent again.", value=status["resent"])
    yield GaugeMetricFamily(
        "edgecore_device_reports_unconfirmed", "Reports that the cloud has not confirmed.", value=status["unconfirmed"]
    )
    ended = CounterMetricFamily(
        "edgecore_device_reports_forgotten", "Reports that the cloud never confirmed.", labels=("reason",)
    )
    for reason, number in status["forgotten"].items():
        ended.add_metric((reason,), number)
    yield ended
