"""Metrics of one process: a Prometheus registry of its own, and the one place where bad input is counted and logged."""

from collections.abc import Callable, Iterable
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from edgecore.observe.ledger import Ledger

log = structlog.get_logger("observe")


class _Pull:
    """A collector that asks a function at scrape time, so that hot paths count with plain integers."""

    def __init__(self, read: Callable[[], Iterable[Metric]]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        return self._read()

    def describe(self) -> Iterable[Metric]:
        return ()


class Metrics:
    """What one process counts. Made in the composition root, handed down."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        self._bad_input = Counter(
            "edgecore_bad_input",
            "Input of a peer that was refused, by module and reason.",
            ("module", "reason"),
            registry=self.registry,
        )
        self.bad_input_counts: dict[tuple[str, str], int] = {}
        """(module, reason) to the number of refusals, for ``status`` and tests."""

    def bad_input(self, module: str, reason: str, peer: str, *, left_out: int | None = None, **details: Any) -> None:
        """Count one refused input, and ``left_out`` more like it that no line tells of, and log one line.

        ``reason`` is a fixed snake_case word; ``peer`` says from whom (an address, ``cloud``, a file); ``details`` hold
        what was wrong, never secrets, and are cut to 200 characters each.
        """
        times = 1 + (left_out or 0)
        self._bad_input.labels(module, reason).inc(times)
        key = (module, reason)
        self.bad_input_counts[key] = self.bad_input_counts.get(key, 0) + times
        if left_out is not None:
            details["left_out"] = left_out
        short = {name: value[:200] if isinstance(value, str) else value for name, value in details.items()}
        log.warning("bad_input", module=module, reason=reason, peer=peer, **short)

    def pull(self, read: Callable[[], Iterable[Metric]]) -> None:
        """Ask ``read`` for metric families at every scrape."""
        self.registry.register(_Pull(read))

    def render(self) -> bytes:
        """Return the text exposition format, version 0.0.4."""
        return generate_latest(self.registry)


def ledger_families(prefix: str, ledger: Ledger) -> Iterable[Metric]:
    """Yield what ``ledger`` holds for Prometheus, in families that begin with ``prefix``."""
    ended = CounterMetricFamily(
        f"{prefix}_link_messages", "Messages of the link, by how they ended.", labels=("direction", "outcome", "reason")
    )
    for labels, count in sorted(ledger.counts().items()):
        ended.add_metric(labels, count)
    yield ended
    yield GaugeMetricFamily(f"{prefix}_link_under_way", "Messages that have not ended.", value=ledger.under_way)
    yield GaugeMetricFamily(f"{prefix}_link_unexplained", "Messages nobody can account for.", value=ledger.unexplained)
