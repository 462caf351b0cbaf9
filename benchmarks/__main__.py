"""The comparison that docs/benchmarks.md shows; scripts/bench runs it.

    python -m benchmarks --python INTERPRETER --go DIRECTORY [--quick | --suites NAME,...] [--json FILE]

Ends with code 1 if something that is there could not be measured.
"""
from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence, Set
from functools import partial
from pathlib import Path

from . import report
from .conditions import conditions
from .guests import GuestsUnavailableError, prepare_guests
from .measuring import Comparison
from .results import Results, Suite, distribution
from .suites import NOT_MEASURED, OPERATIONS, QUICK_SPAWN, QUICK_UNARY, SPAWN, WASM_FLAT
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
    parser.add_argument("--suites", help="only these, with commas between, and no document; wasm is all wasm_ suites")
    parser.add_argument("--json", help="where to write the ratios")
    options = parser.parse_args()
    place = _CACHE / "tmp" if len(str(_CACHE)) < _LONGEST_DIRECTORY else Path("/tmp")
    wanted: list[str] = options.suites.split(",") if options.suites else []
    with tempfile.TemporaryDirectory(prefix="bench-", dir=place) as directory:
        results = _measure(Bench(options.python, options.go, directory), quick=options.quick, wanted=wanted)
    if options.json:
        Path(options.json).write_text(json.dumps({"ratios": ratios(results), "results": results}, indent=1) + "\n")
    _print(results)
    if not options.quick and not wanted:
        print("written:", report.write(results))
    return 1 if any(suite["failures"] for suite in results["suites"].values()) else 0


def _measure(bench: Bench, *, quick: bool, wanted: Sequence[str]) -> Results:
    begin = time.monotonic()

    def tell(text: str) -> None:
        print(f"[{time.monotonic() - begin:5.0f} s] {text}", flush=True)

    operations = [each for each in ([QUICK_UNARY] if quick else OPERATIONS) if _is_wanted(each.name, wanted)]
    pairs = [pair for operation in operations for pair in operation.pairs]
    if not quick and _is_wanted("wasm_flat", wanted):
        pairs.append(WASM_FLAT)
    stacks = {stack for pair in pairs for stack in pair}
    bench, missing = _with_guests(bench, stacks)
    missing |= unavailable(bench, sorted(stacks))
    for stack, reason in missing.items():
        tell(f"not measured: {stack}: {reason}")
    for name, text in NOT_MEASURED.items():
        tell(f"not measured: {name}: {text}")
    results = Results(conditions=conditions(bench), missing=missing, suites={})
    comparison = Comparison(bench, missing, tell)
    suites: dict[str, Callable[[], Suite]] = {each.name: partial(comparison.operation, each) for each in operations}
    others = {"spawn": partial(comparison.spawn, QUICK_SPAWN if quick else tuple(SPAWN))}
    if not quick:
        others |= {"memory": comparison.memory, "flat": comparison.flat, "wasm_flat": comparison.wasm_flat}
    suites |= {name: measure for name, measure in others.items() if _is_wanted(name, wanted)}
    saved = _CACHE / ("bench-quick.json" if quick else "bench-suites.json" if wanted else "bench.json")
    for name, measure in suites.items():
        results["suites"][name] = measure()
        saved.write_text(json.dumps(results) + "\n")
    return results


def _is_wanted(suite: str, wanted: Sequence[str]) -> bool:
    return not wanted or any(suite == name or suite.startswith(f"{name}_") for name in wanted)


def _with_guests(bench: Bench, stacks: Set[str]) -> tuple[Bench, dict[str, str]]:
    """`bench` with the modules that are among the stacks, or why they cannot be had."""
    modules = stacks & {"wasm", "js_wasm"}
    if not modules:
        return bench, {}
    try:
        return bench._replace(guests=prepare_guests(bench.directory)), {}
    except GuestsUnavailableError as error:
        return bench, dict.fromkeys(sorted(modules), str(error))


def _print(results: Results) -> None:
    """The medians of all times per call, and the targets; the document has all."""
    for name, suite in results["suites"].items():
        for row in suite["rows"]:
            found = distribution(results, name, row, "p50_us")
            if found is not None:
                print(f"{name:12} {report.label(row):45} {found.median:8.1f} us")
    for case, limit, figure, verdict in report.target_rows(results):
        if verdict != "not measured":
            print(f"{case:75} {limit:>8}  {figure:25} {verdict.strip('*')}")


if __name__ == "__main__":
    sys.exit(main())
