"""Patterns over many claims: for review by people, never a reason to deny."""

import math
from collections.abc import Iterator

from revcycle_codes.context import Context
from revcycle_codes.facts import PeerMeasure
from revcycle_codes.findings import Finding, Severity, found, rule

WARNING, INFO = Severity.WARNING, Severity.INFO
_MIN_PEERS = 30
_PRIOR_WEIGHT = 20  # a provider's own count outweighs the peers' mean from about twenty visits on
_CERTAIN = 0.95
_PPM = 1_000_000


def beta_above(alpha: float, beta: float, threshold: float) -> float:
    """P(rate > threshold) for a Beta distribution, by the continued fraction of the incomplete beta function."""
    if threshold <= 0:
        return 1.0
    if threshold >= 1:
        return 0.0
    front = math.exp(
        math.lgamma(alpha + beta)
        - math.lgamma(alpha)
        - math.lgamma(beta)
        + alpha * math.log(threshold)
        + beta * math.log1p(-threshold)
    )
    if threshold < (alpha + 1) / (alpha + beta + 2):
        return 1 - front * _fraction(alpha, beta, threshold) / alpha
    return front * _fraction(beta, alpha, 1 - threshold) / beta


def _fraction(a: float, b: float, x: float) -> float:
    """Lentz's evaluation of the continued fraction; 200 terms are far more than its convergence needs."""
    tiny = 1e-30
    c, d = 1.0, 1 - (a + b) * x / (a + 1)
    d = 1 / (d if abs(d) > tiny else tiny)
    value = d
    for m in range(1, 200):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 + numerator * d
            d = 1 / (d if abs(d) > tiny else tiny)
            c = 1 + numerator / c
            c = c if abs(c) > tiny else tiny
            step = c * d
            value *= step
        if abs(step - 1) < 1e-12:
            break
    return value


def probability_above(measure: PeerMeasure, threshold_ppm: int) -> float:
    """Posterior probability that the provider's rate exceeds a threshold, shrunk towards the peers' mean."""
    mean = min(max(measure.peer_mean_ppm / _PPM, 1e-6), 1 - 1e-6)
    alpha = mean * _PRIOR_WEIGHT + measure.hits
    beta = (1 - mean) * _PRIOR_WEIGHT + measure.trials - measure.hits
    return beta_above(alpha, beta, threshold_ppm / _PPM)


@rule(
    "UP-01",
    "Provider and peers",
    source="Beta-binomial shrinkage; peers are the same specialty, setting and new or established, twelve months",
    severity="info",
    needs="peer measures",
)
def peer_outlier(context: Context) -> Iterator[Finding]:
    """A rate that exceeds the peers' 90th percentile with a posterior probability of at least 0.95, measured against at
    least 30 peers, is queued for review. It never holds a claim.
    """
    for measure in context.facts.peer_measures:
        if measure.pair is not None or measure.peers < _MIN_PEERS:
            continue
        probability = probability_above(measure, measure.peer_90th_ppm)
        if probability >= _CERTAIN:
            yield found(
                "UP-01",
                INFO,
                f"{measure.name} exceeds the 90th percentile of {measure.peers} peers",
                "a review of a sample of the charts",
                field="peer_measures",
                row=f"{measure.hits} of {measure.trials}, probability {probability:.3f}",
            )


@rule(
    "UP-02",
    "Unbundling pattern",
    source="NCCI pairs with indicator 1 paid with 59 or X, against the peers' 95th percentile",
    severity="warning",
    needs="peer measures",
)
def unbundling_pattern(context: Context) -> Iterator[Finding]:
    """A pair of this claim that the provider unbundles more often than 95 percent of the peers is looked at."""
    present = set(context.codes)
    for measure in context.facts.peer_measures:
        if measure.pair is None or measure.peer_95th_ppm is None or not present.issuperset(measure.pair):
            continue
        if measure.peers >= _MIN_PEERS and probability_above(measure, measure.peer_95th_ppm) >= _CERTAIN:
            yield found(
                "UP-02",
                WARNING,
                f"{measure.pair[0]} with {measure.pair[1]} is unbundled more often than by 95 percent of the peers",
                "the note's evidence for a separate service",
                codes=measure.pair,
                field="peer_measures",
                row=f"{measure.hits} of {measure.trials}",
                override="the evidence for a separate service",
            )


@rule(
    "UP-03",
    "Group validation",
    source="MS-DRG computed with and without each single complication",
    severity="warning",
    needs="DRG of the stay",
)
def group_validation(context: Context) -> Iterator[Finding]:
    """A stay whose group rests on one single complication is validated clinically; the more so when it was short."""
    drg = context.facts.drg
    if drg is None:
        return
    changing = sorted(code for code, other in drg.without.items() if other != drg.drg)
    if len(changing) == 1:
        short = drg.length_of_stay_days < drg.expected_stay_days
        yield found(
            "UP-03",
            WARNING,
            f"group {drg.drg} rests on {changing[0]} alone{' and the stay was short' if short else ''}",
            f"clinical evidence for {changing[0]}, else group {drg.without[changing[0]]}",
            codes=(changing[0],),
            field="diagnoses",
            row=f"DRG {drg.drg} to {drg.without[changing[0]]}",
            override="the clinical evidence",
        )
