"""The comparison that docs/benchmarks.md shows; scripts/bench runs it.

    python -m benchmarks --python INTERPRETER --go DIRECTORY [--quick] [--json FILE]

Ends with code 1 if something that is there could not be measured.
"""
from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from . import report
from .conditions import conditions
from .measuring import Comparison
from .results import Results, Suite, distribution, ratio
from .suites import NOT_MEASURED, OPERATIONS, QUICK_SPAWN, QUICK_UNARY, SPAWN
from .targets import ratios
from .workers import Bench, unavailable

_CACHE = Path(__file__).resolve().parent.parent / ".cache"
_LONGEST_DIRECTORY = 60
"""What leaves room for the name of a socket in the 107 bytes that its path may have."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Compare this project with its peers.")
    parser.add_argument("--python", required=True, help="the interpreter with the packages of requirements-bench.txt")
    parser.add_argument("--go", required=True, help="the directory with benchhost and benchplugin")
    parser.add_argument("--quick", action="store_true", help="only the small calls, and no document")
    parser.add_argument("--json", help="where to write the ratios")
    options = parser.parse_args()
    place = _CACHE / "tmp" if len(str(_CACHE)) < _LONGEST_DIRECTORY else Path("/tmp")
    with tempfile.TemporaryDirectory(prefix="bench-", dir=place) as directory:
        results = _measure(Bench(options.python, options.go, directory), quick=options.quick)
    if options.json:
        Path(options.json).write_text(json.dumps({"ratios": ratios(results), "results": results}, indent=1) + "\n")
    _print(results)
    if not options.quick:
        print("written:", report.write(results))
    return 1 if any(suite["failures"] for suite in results["suites"].values()) else 0


def _measure(bench: Bench, *, quick: bool) -> Results:
    begin = time.monotonic()

    def tell(text: str) -> None:
        print(f"[{time.monotonic() - begin:5.0f} s] {text}", flush=True)

    operations = [QUICK_UNARY] if quick else OPERATIONS
    stacks = {stack for operation in operations for pair in operation.pairs for stack in pair}
    missing = unavailable(bench, sorted(stacks))
    for stack, reason in missing.items():
        tell(f"skipped: {stack}: {reason}")
    for name, text in NOT_MEASURED.items():
        tell(f"not measured: {name}: {text}")
    results = Results(conditions=conditions(bench), missing=missing, suites={})
    comparison = Comparison(bench, missing, tell)
    suites: dict[str, Callable[[], Suite]] = {each.name: partial(comparison.operation, each) for each in operations}
    suites["spawn"] = partial(comparison.spawn, QUICK_SPAWN if quick else tuple(SPAWN))
    if not quick:
        suites |= {"memory": comparison.memory, "flat": comparison.flat}
    saved = _CACHE / ("bench-quick.json" if quick else "bench.json")
    for name, measure in suites.items():
        results["suites"][name] = measure()
        saved.write_text(json.dumps(results) + "\n")
    return results


def _print(results: Results) -> None:
    """The small calls and the targets; the document has all."""
    for row, rounds in results["suites"]["unary"]["rows"].items():
        found, over = (distribution(results, "unary", row, "p50_us"), ratio(results, "unary", row, "p50_us"))
        if rounds and found and over:
            print(f"{report.label(row):45} {found.median:8.1f} us {over.median:8.2f} x Go")
    for case, limit, figure, verdict in report.target_rows(results):
        if verdict != "not measured":
            print(f"{case:75} {limit:>8}  {figure:25} {verdict.strip('*')}")


if __name__ == "__main__":
    sys.exit(main())
