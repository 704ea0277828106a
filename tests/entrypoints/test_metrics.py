"""What /metrics says of hook requests, read back by the library's own parser."""

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from bridge.entrypoints.metrics import WebhookMetrics

pytestmark = pytest.mark.pure


def test_requests_are_counted_by_source_and_result_and_their_time_in_growing_buckets() -> None:
    webhooks, registry = WebhookMetrics(), CollectorRegistry()
    registry.register(webhooks)
    for seconds in (0.0005, 0.001, 0.003, 7.0):
        webhooks.count("website", "accepted")
        webhooks.took("website", seconds)
    webhooks.count("website", "signature_mismatch")
    said = {
        (sample.name, sample.labels.get("result", ""), sample.labels.get("le", "")): sample.value
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
        if sample.labels["source"] == "website"
    }
    assert said["bridge_webhooks_total", "accepted", ""] == 4
    assert said["bridge_webhooks_total", "signature_mismatch", ""] == 1
    buckets = {bound: value for (name, _, bound), value in said.items() if name == "bridge_webhook_seconds_bucket"}
    assert [buckets[bound] for bound in ("0.001", "0.002", "0.005", "5.0", "+Inf")] == [2, 2, 3, 3, 4]
    assert said["bridge_webhook_seconds_count", "", ""] == 4
    assert said["bridge_webhook_seconds_sum", "", ""] == pytest.approx(7.0045)
