"""What a comparison has measured, and what follows from it. It travels as JSON from the measuring to the document.

A suite is one operation over several rows. A row is a pair of stacks, as text, or another thing that is measured in
turn with them; it has one figure set per round, and the rounds of a suite's rows ran next to each other.
"""
from __future__ import annotations

import statistics
from typing import NamedTuple, TypedDict

__all__ = ["GO_TO_GO", "Distribution", "Results", "Suite", "distribution", "ratio", "values"]

GO_TO_GO = "go -> go"


class Suite(TypedDict):
    """`rows`: figure sets in the order of the rounds. `failures`: why a row has none, or has no more."""

    rows: dict[str, list[dict[str, float]]]
    failures: dict[str, str]


class Results(TypedDict):
    """`conditions`: what the document says about the run, by name. `missing`: stacks that are not there, and why."""

    conditions: dict[str, str]
    missing: dict[str, str]
    suites: dict[str, Suite]


class Distribution(NamedTuple):
    """Over the rounds: the median, and between which values the middle half of them lies."""

    median: float
    low: float
    high: float


def distribution(results: Results, suite: str, row: str, figure: str) -> Distribution | None:
    """Of one figure of one row; None if it was not measured."""
    return _spread(values(results, suite, row, figure))


def values(results: Results, suite: str, row: str, figure: str) -> list[float]:
    """One figure of one row, in the order of the rounds."""
    rounds = results["suites"].get(suite, Suite(rows={}, failures={}))["rows"].get(row, [])
    return [figures[figure] for figures in rounds if figure in figures]


def ratio(results: Results, suite: str, row: str, figure: str, over: str = GO_TO_GO) -> Distribution | None:
    """One row over another, round by round: what slows a machine down for a while slows both of them."""
    pairs = zip(values(results, suite, row, figure), values(results, suite, over, figure), strict=False)
    return _spread([mine / other for mine, other in pairs])


def _spread(numbers: list[float]) -> Distribution | None:
    if not numbers:
        return None
    if len(numbers) == 1:
        return Distribution(*numbers * 3)
    low, median, high = statistics.quantiles(numbers, n=4, method="inclusive")
    return Distribution(median, low, high)
