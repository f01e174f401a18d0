"""What Prometheus is shown of the faults."""

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, Metric

from cloudhub_stub.faults.rules import Faults


def families(faults: Faults) -> Iterable[Metric]:
    """Return how often each kind of fault fired; every kind is there from the start."""
    fired = CounterMetricFamily("cloudhub_faults", "Faults that fired on demand, by kind.", labels=("fault",))
    for kind, count in faults.counts.items():
        fired.add_metric((kind,), count)
    return (fired,)
