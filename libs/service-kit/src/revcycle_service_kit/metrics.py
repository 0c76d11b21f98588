"""Prometheus metrics of a service. Names are pinned here and only here (HTTP: OpenTelemetry's, else ``revcycle_…``).

Labels hold names of routes, kinds and states: never ids, never tenants, never anything of a patient.
"""

from collections.abc import Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

CONTENT_TYPE = CONTENT_TYPE_LATEST
_FIGURES: Final[Mapping[str, tuple[str, str]]] = {
    "outbox_rows": ("outbox_rows", "Events not yet acknowledged by the broker"),
    "outbox_bound": ("outbox_bound_rows", "At so many of them writes are refused"),
    "outbox_oldest_age_seconds": ("outbox_oldest_age_seconds", "Age of the oldest such event"),
    "relay_stopped": ("relay_stopped", "1 while the relays stand by"),
    "leads_shards": ("relay_shards", "Shards of the outbox that this instance leads"),
    "chunk_in_flight": ("chunk_in_flight_records", "Fetched, not yet committed"),
    "lag": ("consumer_lag_records", "Records behind the end"),
    "lag_seconds": ("consumer_lag_seconds", "Since when the oldest of them waits"),
    "timers_due": ("timers_due", "Timers that are due and have not fired"),
    "timers_oldest_due_seconds": ("timers_oldest_due_seconds", "Since when the oldest of them is due"),
    "parked_keys": ("parked_keys", "Keys whose events wait"),
    "parked_keys_oldest_age_seconds": ("parked_keys_oldest_age_seconds", "Since when the oldest of them waits"),
    "dead_letters": ("dead_letters", "Events that wait for a named person"),
    "dead_letters_oldest_age_seconds": ("dead_letters_oldest_age_seconds", "Since when the oldest of them waits"),
    "quarantined": ("quarantined_records", "Records whose seal does not hold"),
}
"""Figure of :mod:`revcycle_service_kit.operations` to name and meaning of its gauge."""
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """The instruments of one service in a registry of its own, so that several may live in one test process."""

    def __init__(self, service: str) -> None:
        self.registry = CollectorRegistry()
        registry = self.registry
        self.request_seconds = Histogram(
            "http_server_request_duration_seconds",
            "Duration of requests by route template",
            ("http_request_method", "http_route", "http_response_status_code"),
            buckets=_SECONDS,
            registry=registry,
        )
        self.requests_in_work = Gauge("http_server_active_requests", "Requests in work", registry=registry)
        self.figures = {
            name: Gauge(f"revcycle_{metric}", text, registry=registry) for name, (metric, text) in _FIGURES.items()
        }
        self.events = Gauge(
            "revcycle_events_since_start", "Events by what became of them", ("outcome",), registry=registry
        )
        self.jobs = Gauge("revcycle_jobs", "Open jobs by state", ("state",), registry=registry)
        self.job_outcomes = Counter(
            "revcycle_job_outcomes", "Attempts by kind and outcome", ("kind", "outcome"), registry=registry
        )
        self.job_seconds = Histogram(
            "revcycle_job_duration_seconds",
            "Duration of the act outside",
            ("kind",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.timers_fired = Counter("revcycle_timers_fired", "Timers fired by name", ("timer",), registry=registry)
        self.timer_failures = Counter("revcycle_timer_failures", "Timers that failed", ("timer",), registry=registry)
        self.component_failures = Counter(
            "revcycle_component_failures",
            "Unexpected failures of a part of the process",
            ("component",),
            registry=registry,
        )
        self.loop_lag_seconds = Gauge("revcycle_event_loop_lag_seconds", "Last measured delay", registry=registry)
        self.ready = Gauge("revcycle_ready_check", "1 when the check of /readyz holds", ("check",), registry=registry)
        Gauge("revcycle_service_info", "Which service this is", ("service",), registry=registry).labels(service).set(1)

    def observe_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Note one answered request."""
        self.request_seconds.labels(method, route, str(status)).observe(seconds)

    def note_messaging(self, figures: Mapping[str, float], jobs: Mapping[str, int]) -> None:
        """Take over what was measured about messaging, see :mod:`revcycle_service_kit.operations`."""
        for name, gauge in self.figures.items():
            gauge.set(figures.get(name) or 0)
        for state in ("ready", "running", "unknown"):
            self.jobs.labels(state).set(jobs.get(state, 0))

    def render(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)
