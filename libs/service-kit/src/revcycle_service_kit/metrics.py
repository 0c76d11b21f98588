"""Prometheus metrics of a service. Names are pinned here and in the figures of the services, by one rule:

``revcycle_<area>_<what>_<unit>``, and ``_total`` behind a counter's. Labels hold names of routes, kinds and states:
never ids, never tenants, never anything of a patient.

Most gauges are counted in the database, and every instance of a service (API, worker, relay) tells the same or 0: take
``max by (service)`` of them. A sum over instances is right for counters, histograms and ``OF_ONE_INSTANCE`` only.
"""

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from revcycle_service_kit.figures import Figure

if TYPE_CHECKING:
    from revcycle_service_kit.operations import MessagingFigures

CONTENT_TYPE = CONTENT_TYPE_LATEST
AREAS: Final = frozenset(
    (
        *("http", "outbox", "relay", "consumer", "timer", "job", "process", "database"),
        *("work", "claim", "remittance", "submission"),
    )
)
UNITS: Final = frozenset(
    (
        *("seconds", "bytes", "cents", "state", "info", "requests", "events", "records", "keys", "shards", "timers"),
        *("jobs", "failures", "attempts", "claims", "remittances", "items"),
    )
)
_NAME: Final = re.compile(r"revcycle_([a-z]+)(?:_[a-z]+)*_([a-z]+)")
_FIGURES: Final[Mapping[str, tuple[str, str]]] = {
    "outbox_rows": ("outbox_waiting_events", "Events not yet acknowledged by the broker"),
    "outbox_bound": ("outbox_bound_events", "At so many of them writes are refused"),
    "outbox_oldest_age_seconds": ("outbox_oldest_age_seconds", "Age of the oldest such event"),
    "relay_stopped": ("relay_stopped_state", "1 while the relays stand by"),
    "leads_shards": ("relay_led_shards", "Shards of the outbox that this instance leads"),
    "chunk_in_flight": ("consumer_in_flight_records", "Fetched, not yet committed"),
    "lag": ("consumer_lag_records", "Records the consumer group has not committed"),
    "lag_seconds": ("consumer_lag_seconds", "Since when the oldest of them waits"),
    "timers_due": ("timer_due_timers", "Timers that are due and have not fired"),
    "timers_oldest_due_seconds": ("timer_oldest_due_seconds", "Since when the oldest of them is due"),
    "parked_keys": ("consumer_parked_keys", "Keys whose events wait"),
    "parked_keys_oldest_age_seconds": ("consumer_parked_oldest_age_seconds", "Since when the oldest of them waits"),
    "dead_letters": ("consumer_dead_events", "Events that wait for a named person"),
    "dead_letters_oldest_age_seconds": ("consumer_dead_oldest_age_seconds", "Since when the oldest of them waits"),
    "quarantined": ("consumer_quarantined_records", "Records whose seal does not hold"),
}
"""Figure of :mod:`revcycle_service_kit.operations` to name and meaning of its gauge."""
OF_ONE_INSTANCE: Final = frozenset(
    ("http_in_work_requests", "relay_led_shards", "consumer_in_flight_records", "process_service_info")
)
"""Gauges of which each instance tells its own part, so that they may be added up."""
_MAX: Final = " (every instance tells the same: max, not sum)"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

# A series per counter that says when the process started: noise that no name rule covers.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library's


def keeps_name_rule(name: str, kind: str) -> bool:
    """Whether the name of a metric (as scraped, without ``_bucket``, ``_sum`` and ``_count``) obeys the one rule."""
    counted = name.endswith("_total")
    found = _NAME.fullmatch(name.removesuffix("_total"))
    return found is not None and found[1] in AREAS and found[2] in UNITS and counted == (kind == "counter")


class Metrics:
    """The instruments of one service in a registry of its own, so that several may live in one test process."""

    def __init__(self, service: str) -> None:
        self.registry = CollectorRegistry()
        self._business: dict[str, tuple[Figure, Gauge]] = {}
        registry = self.registry
        self.request_seconds = Histogram(
            "revcycle_http_request_duration_seconds",
            "Duration of requests by route template",
            ("http_request_method", "http_route", "http_response_status_code"),
            buckets=_SECONDS,
            registry=registry,
        )
        self.requests_in_work = Gauge("revcycle_http_in_work_requests", "Requests in work", registry=registry)
        self.figures = {
            name: Gauge(f"revcycle_{metric}", text if metric in OF_ONE_INSTANCE else text + _MAX, registry=registry)
            for name, (metric, text) in _FIGURES.items()
        }
        self.events = Counter(
            "revcycle_consumer_handled_events", "Events by what became of them", ("outcome",), registry=registry
        )
        self.published = Counter(
            "revcycle_relay_published_events", "Events acknowledged by the broker and archived", registry=registry
        )
        self.stopped = Gauge("revcycle_consumer_stopped_state", "1 when the consumer stopped itself", registry=registry)
        self.refuses = Gauge(
            "revcycle_database_refused_state", "1 while nothing is written or published", registry=registry
        )
        self.disk_free = Gauge("revcycle_process_disk_free_bytes", "Where this process works", registry=registry)
        self.disk_size = Gauge("revcycle_process_disk_size_bytes", "Where this process works", registry=registry)
        for outcome in ("applied", "duplicate", "quarantined", "dead"):
            self.events.labels(outcome)
        self.jobs = Gauge("revcycle_job_open_jobs", f"Open jobs by state{_MAX}", ("state",), registry=registry)
        self.job_outcomes = Counter(
            "revcycle_job_ended_attempts", "Attempts by kind and outcome", ("kind", "outcome"), registry=registry
        )
        self.job_seconds = Histogram(
            "revcycle_job_duration_seconds",
            "Duration of the act outside",
            ("kind",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.timers_fired = Counter(
            "revcycle_timer_fired_timers", "Timers fired by name", ("timer",), registry=registry
        )
        self.timer_failures = Counter(
            "revcycle_timer_failed_timers", "Timers that failed", ("timer",), registry=registry
        )
        self.component_failures = Counter(
            "revcycle_process_component_failures",
            "Unexpected failures of a part of the process",
            ("component",),
            registry=registry,
        )
        self.loop_lag_seconds = Gauge(
            "revcycle_process_event_loop_lag_seconds", "Last measured delay", registry=registry
        )
        self.ready = Gauge(
            "revcycle_process_ready_state", "1 when the check of /readyz holds", ("check",), registry=registry
        )
        Gauge("revcycle_process_service_info", "Which service this is", ("service",), registry=registry).labels(
            service
        ).set(1)

    def count_up(self, counter: Counter, total: int) -> None:
        """Bring a counter to a total that its owner counts by itself."""
        counter.inc(max(0.0, total - counter._value.get()))

    def add_business(self, figures: Iterable[Figure]) -> None:
        """Make a gauge per figure of the service's business; 0 until measured."""
        for figure in figures:
            labels = (figure.label,) if figure.label else ()
            gauge = Gauge(f"revcycle_{figure.name}", figure.meaning + _MAX, labels, registry=self.registry)
            for value in figure.label_values:
                gauge.labels(value).set(0)
            self._business[figure.name] = (figure, gauge)

    def note_business(self, name: str, values: Mapping[str, float]) -> None:
        """Take over what was measured: by label value, or under "" for a figure without a label."""
        figure, gauge = self._business[name]
        if figure.label is None:
            gauge.set(values.get("", 0))
            return
        for value in {*figure.label_values, *values}:
            gauge.labels(value).set(values.get(value, 0))

    def observe_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Note one answered request."""
        self.request_seconds.labels(method, route, str(status)).observe(seconds)

    def note_messaging(self, figures: "MessagingFigures") -> None:
        """Take over what was measured about messaging."""
        numbers = figures.model_dump()
        jobs = figures.jobs
        for name, gauge in self.figures.items():
            gauge.set(numbers[name] or 0)
        self.stopped.set(figures.stopped_because is not None)
        self.refuses.set(figures.refuses_because is not None)
        for state in ("ready", "running", "unknown"):
            self.jobs.labels(state).set(jobs.get(state, 0))

    def render(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)
