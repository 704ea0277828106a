"""Every metric, once. Labels are sources, reasons and states of ours: bounded, and never a value of a stranger."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from bridge import __version__

registry = CollectorRegistry()


class WebhookMetrics(Collector):
    """Requests to hook URLs, counted in plain numbers: the library's own counters lock and check, 1.4 us a request."""

    BOUNDS = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)

    def __init__(self) -> None:
        self._results: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._within: defaultdict[str, list[int]] = defaultdict(lambda: [0] * (len(self.BOUNDS) + 1))
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def count(self, source: str, result: str) -> None:
        """Count a request by what became of it; only the thread of the event loop may."""
        self._results[source, result] += 1

    def took(self, source: str, seconds: float) -> None:
        """Note how long it was from the last byte of a request to its answer; only the thread of the event loop may."""
        self._within[source][bisect_left(self.BOUNDS, seconds)] += 1
        self._seconds[source] += seconds

    def collect(self) -> Iterator[Metric]:
        """Yield both metrics as they stand, from any thread."""
        requests = CounterMetricFamily(
            "bridge_webhooks", "Requests to hook URLs by what became of them.", labels=["source", "result"]
        )
        for labels, number in list(self._results.items()):
            requests.add_metric(labels, number)
        yield requests
        took = HistogramMetricFamily(
            "bridge_webhook_seconds", "Time from the last byte of a request to its answer.", labels=["source"]
        )
        for source, within in list(self._within.items()):
            total, buckets = 0, []
            for bound, number in zip((*map(str, self.BOUNDS), "+Inf"), list(within), strict=True):
                total += number
                buckets.append((bound, float(total)))
            took.add_metric([source], buckets, self._seconds[source])
        yield took


webhooks = WebhookMetrics()
registry.register(webhooks)
deliveries = Counter(
    "bridge_deliveries", "Deliveries processed, by state and reason.", ["source", "state", "reason"], registry=registry
)
delivery_to_servicetitan_seconds = Histogram(
    "bridge_delivery_to_servicetitan_seconds",
    "Time from receiving a delivery to its effect in ServiceTitan.",
    ["source"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 3600),
    registry=registry,
)
config_reloads = Counter(
    "bridge_config_reloads", "Configs read anew, by what became of them.", ["result"], registry=registry
)
config_refused = Gauge(
    "bridge_config_refused", "1 while the config on disk has faults and the one before it is used.", registry=registry
)
attempts = Counter(
    "bridge_attempts",
    "Calls that carry effects, by outcome and reason.",
    ["command", "outcome", "reason"],
    registry=registry,
)
outbox_messages = Gauge("bridge_outbox_messages", "Messages that wait, by state.", ["state"], registry=registry)
outbox_oldest_ready_seconds = Gauge(
    "bridge_outbox_oldest_ready_seconds", "Age of the oldest message that could be sent now.", registry=registry
)
queue_oldest_seconds = Gauge(
    "bridge_delivery_queue_oldest_seconds", "Age of the oldest delivery not processed yet.", registry=registry
)
holds_open = Gauge("bridge_holds_open", "Holds that wait for a person.", registry=registry)
owned_shards = Gauge("bridge_owned_shards", "Shards this worker owns.", registry=registry)
mirror_age_seconds = Gauge(
    "bridge_mirror_age_seconds", "Age of the mirror by feed.", ["tenant", "feed"], registry=registry
)
build_info = Gauge("bridge_build_info", "The version that runs.", ["version"], registry=registry)
build_info.labels(__version__).set(1)


def expose(port: int, *, host: str) -> None:
    """Serve /metrics on a port of its own: `serve` takes the configured one, `work` the next, so that both may run on a machine."""
    start_http_server(port, addr=host, registry=registry)
