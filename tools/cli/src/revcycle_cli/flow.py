"""The flow of a running stack at one moment, and how fast it moves between two: for `revcycle status --watch`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import httpx
    from rich.table import Table

_SHORT: Final = {"adjudication-gateway": "gateway"}
# Together with the name and the gaps 79 characters.
_COLUMNS: Final = {
    "done": 8,
    "a second": 8,
    "lag": 6,
    "oldest": 6,
    "parked": 6,
    "dead": 4,
    "waiting": 7,
    "money": 13,
}
_SAMPLE_LINE: Final = re.compile(r"^(revcycle_\w+)(?:\{([^}]*)\})? ([0-9.e+-]+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Stage:
    """One service, all its instances together.

    Attributes:
        done: events it applied since it started; of one that reads no stream: events it published.
        lag: records the consumer group is behind; None while no instance belongs to its consumer group, or it has none.
        oldest_seconds: of whatever waits longest: a record, a parked key, an unpublished event.
        waiting, waiting_cents: work items and their money; None where the service has no money.
        told: why it stands still, or None.
    """

    name: str
    instances: int
    done: int
    lag: int | None
    oldest_seconds: float
    parked: int
    dead: int
    waiting: int
    waiting_cents: int | None
    told: str | None


@dataclass(frozen=True, slots=True)
class Moment:
    """All stages in the order of the flow, at a time of the monotonic clock."""

    at: float
    stages: tuple[Stage, ...]


def read_moment(client: httpx.Client, urls: Mapping[str, Sequence[str]], at: float) -> Moment:
    """Ask every instance of every service; one that does not answer counts as not there."""
    with ThreadPoolExecutor(8) as pool:
        asked = {name: [pool.submit(_ask, client, url) for url in addresses] for name, addresses in urls.items()}
        answers = {name: [one for each in futures if (one := each.result())] for name, futures in asked.items()}
    return Moment(at, tuple(_stage(name, found) for name, found in answers.items()))


def _ask(client: httpx.Client, url: str) -> tuple[dict[str, Any], str] | None:
    import httpx

    try:
        figures = client.get(f"{url}/v1/ops/messaging")
        metrics = client.get(f"{url}/metrics")
    except httpx.HTTPError:
        return None
    return (figures.json(), metrics.text) if figures.status_code == metrics.status_code == 200 else None


def _stage(name: str, answers: Sequence[tuple[dict[str, Any], str]]) -> Stage:
    figures = [one for one, _ in answers]
    metrics = [_samples(text) for _, text in answers]
    lags = [one["lag"] for one in figures if one["lag"] is not None]
    applied = sum(_total(one, "revcycle_consumer_handled_events_total", 'outcome="applied"') for one in metrics)
    published = sum(_total(one, "revcycle_relay_published_events_total") for one in metrics)
    cents = [_total(one, "revcycle_work_waiting_cents") for one in metrics if "revcycle_work_waiting_cents" in one]
    reasons = [why for one in figures for why in (one["stopped_because"], one["refuses_because"]) if why]
    ages = ("lag_seconds", "outbox_oldest_age_seconds", "parked_keys_oldest_age_seconds")
    return Stage(
        name=name,
        instances=len(answers),
        done=int(applied or published),
        lag=max(lags, default=None),
        oldest_seconds=max((one[age] or 0 for one in figures for age in ages), default=0),
        # Figures of the database, not of the instance: every instance says the same.
        parked=max((one["parked_keys"] for one in figures), default=0),
        dead=max((one["dead_letters"] for one in figures), default=0),
        waiting=int(max((_total(one, "revcycle_work_waiting_items") for one in metrics), default=0)),
        waiting_cents=int(max(cents)) if cents else None,
        told=reasons[0] if reasons else None,
    )


def _samples(text: str) -> dict[str, list[tuple[str, float]]]:
    found: dict[str, list[tuple[str, float]]] = {}
    for name, labels, value in _SAMPLE_LINE.findall(text):
        found.setdefault(name, []).append((labels, float(value)))
    return found


def _total(samples: Mapping[str, Iterable[tuple[str, float]]], name: str, label: str = "") -> float:
    return sum(value for labels, value in samples.get(name, ()) if label in labels)


def flow_table(before: Moment, now: Moment) -> Table:
    """The page: a line per stage; fits 80 columns."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), expand=False)
    table.add_column("stage", min_width=13, no_wrap=True)
    for heading, width in _COLUMNS.items():
        table.add_column(heading, justify="right", min_width=width, no_wrap=True)
    former = {stage.name: stage for stage in before.stages}
    seconds = now.at - before.at
    for stage in now.stages:
        table.add_row(*_cells(stage, former.get(stage.name), seconds))
    money = sum(stage.waiting_cents or 0 for stage in now.stages)
    table.add_row("", *[""] * 6, "together", _dollars(money), style="bold")
    return table


def _cells(stage: Stage, before: Stage | None, seconds: float) -> list[str]:
    name = _SHORT.get(stage.name, stage.name)
    if stage.instances == 0:
        return [f"[red]{name}[/]", "[red]away[/]", *["-"] * 7]
    # A service that started anew counts from 0 again.
    moved = max(0, stage.done - before.done) if before and before.instances else 0
    return [
        f"{name} ×{stage.instances}" if stage.instances > 1 else name,
        f"{stage.done:,}",
        f"{moved / seconds:.1f}" if seconds > 0 else "-",
        "-" if stage.lag is None else f"{stage.lag:,}",
        _age(stage.oldest_seconds),
        _alarming(stage.parked, "yellow"),
        _alarming(stage.dead, "red"),
        f"{stage.waiting:,}",
        "-" if stage.waiting_cents is None else _dollars(stage.waiting_cents),
    ]


def _alarming(count: int, colour: str) -> str:
    return f"[{colour}]{count:,}[/]" if count else "0"


def _age(seconds: float) -> str:
    if seconds < 1:
        return "-"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} m" if seconds < 6000 else f"{seconds / 3600:.0f} h"


def _dollars(cents: int) -> str:
    return f"${cents // 100:,}.{cents % 100:02}"
