"""The document: what was measured, as Markdown with charts.

    python -m benchmarks.report RESULTS.json

writes it anew from what an earlier comparison saved.
"""
from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from .results import GO_TO_GO, Distribution, Results, Suite, distribution, ratio, values
from .suites import (
    FLAT_STEP,
    FLAT_STEPS,
    MEMORY_CALLS,
    MEMORY_CLIENTS,
    NOT_MEASURED,
    OPERATIONS,
    SPAWN_ROUNDS,
    WASM_FLAT_CALLS,
    WASM_FLAT_SIZE,
    WASM_FLAT_STEPS,
)
from .svg import Bar, bar_chart
from .targets import TARGETS

__all__ = ["label", "target_rows", "write"]

_DOCS = Path(__file__).resolve().parent.parent / "docs"

_NAMES = {
    "go": "Go",
    "goplugin_sync": "goplugin.sync",
    "goplugin_aio": "goplugin.aio",
    "goplugin_async": "goplugin",
    "javascript": "JavaScript",
    "sdk": "Python SDK",
    "grpcio_aio": "grpcio.aio",
    "pyvider": "pyvider-rpcplugin",
    "wazero": "Go, wazero",
    "wasm": "Go module",
    "goplugin_wasm": "goplugin.wasm",
    "js_module": "Python",
    "js_wasm": "Go in WebAssembly",
}
_OPTIONS = {"tls": "AutoMTLS", "mux": "one connection", "public": "public API only"}
_OURS = ("goplugin", "javascript", "sdk", "js_module")
_GO = ("go", "wazero", "wasm")

_INTRODUCTION = """\
# Benchmarks

Written by `{command}`, which measures everything anew; do not edit. `make bench QUICK=1 JSON=FILE` measures the small
calls only and writes their ratios, as they stand in the first table, to FILE.

## What is compared

A host calls a plugin in another process over a unix socket, with [one service](../benchmarks/bench.proto) on all stacks
and messages made by protobuf's generated code. Each pair of host and plugin has two processes of its own.

- **Go**: a host and a plugin on HashiCorp's go-plugin and grpc-go, as go-plugin configures them.
- **goplugin.sync**, **goplugin.aio**: this project's blocking and asyncio runtimes; the asyncio one is called through
  code that grpclib's generator wrote. **goplugin**: `goplugin.Client` and `goplugin.serve` with asynchronous methods.
  **Python SDK**: a JavaScript module, called by a script in **JavaScript**; its contract differs, its request has the
  same 50 bytes.
- **grpclib**, **grpcio**, **grpcio.aio**: the libraries by themselves. **pyvider-rpcplugin**: the other go-plugin
  library for Python, without certificates like everybody here.
- **+ uvloop**: on that event loop instead of the standard library's. The extra `goplugin[uvloop]` installs it; a host
  runs `uvloop.run(main())`, a plugin with asynchronous methods calls `uvloop.install()` before `serve`. It helps where
  asyncio is, so nothing in the blocking runtime asks for it.
- **goplugin.wasm** and **Go, wazero**: hosts of plugins as WebAssembly, this project's and upstream's. They have
  sections of their own, with modules written in Go that run inside of the host.
- **raw**: two blocking Python sockets that send as many bytes as a call of goplugin.sync, and do nothing with them.

The machine is shared and noisy. So the pairs of a suite take turns, a short while each, round after round (A B C A B
C ...), and nothing else of the benchmark runs meanwhile. Every figure is the **median of the rounds**, with the middle
half of the rounds in brackets; a ratio is taken within each round, and its median over the rounds is what counts.
**x Go** is the ratio over a Go host that calls a Go plugin. Ratios travel between machines, microseconds do not.

| | |
|---|---|
{conditions}
"""


class _Column(NamedTuple):
    """A figure of a suite's rows: its heading, its name, and how it is written."""

    heading: str
    figure: str
    text: Callable[[float], str]


class _Section(NamedTuple):
    """A suite's table and chart. The first column is the one that the chart shows and the ratio is of."""

    suite: str
    title: str
    text: str
    columns: Sequence[_Column]
    note: str
    over: str = GO_TO_GO
    ratio_heading: str = "x Go"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


_RATE = _Column("calls/s", "calls_per_s", _number)
_UNARY_COLUMNS = (_Column("p50 us", "p50_us", _number), _Column("p99 us", "p99_us", _number), _RATE)
_THROUGHPUT = _Column("MB/s", "mb_per_s", _number)
_LARGE_TEXT = "The same message there and back, one call after the other; MB/s counts both directions."

_SECTIONS = (
    _Section("unary", "Small calls", "One call after the other, 50 bytes there and back.",
             _UNARY_COLUMNS, "p50 in microseconds; shorter is better"),
    _Section("in_flight", "64 calls in flight", "64 callers, each with one call after the other: goroutines, tasks or "
             "threads, whatever the stack has.", (_RATE,), "calls per second; longer is better"),
    _Section("large_1", "Messages of 1 MiB", _LARGE_TEXT, (_THROUGHPUT,), "MB per second; longer is better"),
    _Section("large_16", "Messages of 16 MiB", _LARGE_TEXT, (_THROUGHPUT,), "MB per second; longer is better"),
    _Section("large_64", "Messages of 64 MiB", _LARGE_TEXT, (_THROUGHPUT,), "MB per second; longer is better"),
    _Section("stream", "Streaming", "One server-streaming call with 10,000 messages of 50 bytes.",
             (_Column("messages/s", "messages_per_s", _number),), "messages per second; longer is better"),
    _Section("tls", "AutoMTLS", "Small calls, one after the other, with certificates that both sides made for this "
             "launch; **x Go** is over Go without them.", _UNARY_COLUMNS, "p50 in microseconds; shorter is better"),
    _Section("mux", "One connection", "Small calls, one after the other, on a stream of the one yamux connection that "
             "host and plugin have; **x Go** is over Go without it.", _UNARY_COLUMNS,
             "p50 in microseconds; shorter is better"),
    _Section("wasm_greet", "WebAssembly: small calls", "One call after the other of one Go module, with a name there "
             "and a greeting back; **x Go** is over upstream's Go host. The second row of ours does without the C API "
             "that [goplugin.wasm](wasm.md) calls where it finds it.",
             _UNARY_COLUMNS, "p50 in microseconds; shorter is better", "wazero -> wasm"),
    _Section("wasm_ask", "WebAssembly: functions of the host", "The same, and the plugin calls two functions of the "
             "host, of two modules, before it answers.",
             _UNARY_COLUMNS, "p50 in microseconds; shorter is better", "wazero -> wasm"),
    _Section("wasm_js", "WebAssembly: JavaScript modules", "A function of a JavaScript module, called without an "
             "engine before it, with a text of 40 bytes there and back: in a process, and in a WebAssembly file.",
             _UNARY_COLUMNS, "p50 in microseconds; shorter is better", "js_module -> sdk", "x process"),
    _Section("wasm_load", "WebAssembly: start", "Reading a Go module of 4 MB from the cache, where it was compiled "
             "before, and starting an instance. Upstream's host compiles each time it loads.",
             (_Column("load ms", "load_ms", _number), _Column("instance ms", "instantiate_ms", _number)),
             "load, in milliseconds; shorter is better", "wazero -> wasm"),
)


def label(row: str) -> str:
    """A row's name for people: `goplugin_async+uvloop -> go` is `goplugin + uvloop -> Go`."""
    return " -> ".join(_stack(stack) for stack in row.split(" -> "))


def _stack(name: str) -> str:
    stack, *options = name.split("+")
    return " + ".join([_NAMES.get(stack, stack), *(_OPTIONS.get(option, option) for option in options)])


def _kind(row: str) -> str:
    stacks = row.split(" -> ")
    if all(stack.partition("+")[0] in _GO for stack in stacks):
        return "go"
    return "ours" if any(stack.startswith(_OURS) for stack in stacks) else "other"


def _cell(found: Distribution | None, text: Callable[[float], str] = _number) -> str:
    return "-" if found is None else f"{text(found.median)} ({text(found.low)} to {text(found.high)})"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def target_rows(results: Results) -> list[tuple[str, str, str, str]]:
    """Each target: the case, the limit, the figure, and whether it is met."""
    rows: list[tuple[str, str, str, str]] = []
    for target in TARGETS:
        found = target.measure(results)
        limit = f"{'>=' if target.at_least else '<='} {target.limit:g}"
        verdict = "not measured" if found is None else "met" if target.met(found.median) else "**not met**"
        rows.append((target.case, limit, _cell(found, "{:.2f}".format), verdict))
    return rows


def write(results: Results, docs: Path = _DOCS) -> Path:
    """Write the document and its charts below `docs`; returns the document's path."""
    charts = docs / "benchmarks"
    charts.mkdir(exist_ok=True)
    conditions = "\n".join(f"| {name} | {value} |" for name, value in results["conditions"].items())
    parts = [_INTRODUCTION.format(command=results["conditions"]["command"], conditions=conditions)]
    parts.append("## Targets\n\n" + _table(("case", "target", "measured", ""), target_rows(results)))
    parts += [_section(results, section, charts) for section in _SECTIONS]
    parts += [
        _start_up(results, charts), _memory(results), _flat(results), _wasm_flat(results), _not_measured(results)
    ]
    document = docs / "benchmarks.md"
    document.write_text("\n".join(parts), "utf-8")
    return document


def _section(results: Results, section: _Section, charts: Path) -> str:
    rows = _rows(results, section.suite)
    if not rows:
        return f"## {section.title}\n\nNot measured.\n"
    first = section.columns[0]
    _chart(results, section.suite, section.title, section.note, first.figure, rows, charts)
    rounds = next(operation.rounds for operation in OPERATIONS if operation.name == section.suite)
    headings = ("host -> plugin", *(column.heading for column in section.columns), section.ratio_heading)
    cells = [
        (
            label(row),
            *(_cell(distribution(results, section.suite, row, each.figure), each.text) for each in section.columns),
            _cell(ratio(results, section.suite, row, first.figure, section.over), "{:.2f}".format),
        )
        for row in rows
    ]
    picture = f"![{section.title}](benchmarks/{section.suite}.svg)"
    return f"## {section.title}\n\n{section.text} {rounds} rounds.\n\n{picture}\n\n{_table(headings, cells)}"


def _chart(
    results: Results, suite: str, title: str, note: str, figure: str, rows: Sequence[str], charts: Path
) -> None:
    bars: list[Bar] = []
    for row in rows:
        found = distribution(results, suite, row, figure)
        if found is not None:
            bars.append(Bar(label(row), _kind(row), *found, _number(found.median)))
    (charts / f"{suite}.svg").write_text(bar_chart(title, note, bars), "utf-8")


def _rows(results: Results, suite: str) -> list[str]:
    """The rows of a suite that have figures, in the suite's order."""
    found = results["suites"].get(suite, Suite(rows={}, failures={}))
    return [row for row, rounds in found["rows"].items() if rounds]


def _start_up(results: Results, charts: Path) -> str:
    rows = _rows(results, "spawn")
    if not rows:
        return "## Start-up\n\nNot measured.\n"
    _chart(results, "spawn", "Launch to first reply", "milliseconds; shorter is better", "ms", rows, charts)
    cells = [
        (
            label(row),
            _cell(distribution(results, "spawn", row, "ms")),
            _cell(ratio(results, "spawn", row, "ms", "python -c pass"), "{:.2f}".format),
        )
        for row in rows
    ]
    text = (
        "A Go host launches a plugin, shakes hands, connects and gets the reply to one call. The interpreter by itself "
        "(`python -c pass`), launched by the same host, is what no plugin in Python can go below. "
        f"{SPAWN_ROUNDS} rounds."
    )
    table = _table(("plugin", "ms", "x bare Python"), cells)
    return f"## Start-up\n\n{text}\n\n![Launch to first reply](benchmarks/spawn.svg)\n\n{table}"


def _memory(results: Results) -> str:
    def one(row: str, figure: str) -> str:
        found = values(results, "memory", row, figure)
        return f"{found[0]:.1f}" if found else "-"

    cells = [
        (label(row), one(row, "resident_mib"), one(row, "private_mib"), one(row, "per_client_kib"))
        for row in _rows(results, "memory")
    ]
    if not cells:
        return "## Memory\n\nNot measured.\n"
    text = (
        f"Of a plugin that is idle after {MEMORY_CALLS:,} calls, in MiB: what is resident, and what of that no other "
        f"process shares. Of a host: how many KiB each of {MEMORY_CLIENTS} further clients with their plugins adds."
    )
    headings = ("host -> plugin", "plugin, resident", "plugin, private", "host, KiB per client")
    return f"## Memory\n\n{text}\n\n{_table(headings, cells)}"


def _flat(results: Results) -> str:
    cells: list[Sequence[str]] = []
    for row in _rows(results, "flat"):
        host, plugin = (values(results, "flat", row, figure) for figure in ("host_mib", "plugin_mib"))
        sides = (f"{side[0]:.1f} to {side[-1]:.1f}, at most {max(side):.1f}" for side in (host, plugin))
        cells.append((label(row), *sides))
    if not cells:
        return "## Many calls\n\nNot measured.\n"
    text = (
        f"Resident MiB after {FLAT_STEP:,} calls, and how that went over the next {FLAT_STEP * FLAT_STEPS:,}, looked "
        f"at every {FLAT_STEP:,}."
    )
    return f"## Many calls\n\n{text}\n\n{_table(('host -> plugin', 'host', 'plugin'), cells)}"


def _wasm_flat(results: Results) -> str:
    title = "## WebAssembly: many large answers of the host"
    cells: list[Sequence[str]] = []
    for row in _rows(results, "wasm_flat"):
        host, plugin = (values(results, "wasm_flat", row, figure) for figure in ("host_mib", "plugin_mib"))
        sides = (f"{side[0]:.1f} to {side[-1]:.1f}, at most {max(side):.1f}" for side in (host, plugin))
        cells.append((label(row), *sides))
    if not cells:
        return f"{title}\n\nNot measured.\n"
    text = (
        f"MiB after {WASM_FLAT_CALLS:,} calls in each of which a function of the host returned {WASM_FLAT_SIZE:,} "
        f"bytes, and how that went over the next {WASM_FLAT_CALLS * WASM_FLAT_STEPS:,}: what is resident of the host, "
        "the plugin included, and the plugin's linear memory."
    )
    return f"{title}\n\n{text}\n\n{_table(('host -> plugin', 'host', 'plugin'), cells)}"


def _not_measured(results: Results) -> str:
    lines = [f"- {name}: {text}." for name, text in NOT_MEASURED.items()]
    lines += [f"- {_stack(stack)}: not there ({reason})." for stack, reason in results["missing"].items()]
    titles = {section.suite: section.title for section in _SECTIONS}
    for name, suite in results["suites"].items():
        lines += [
            f"- {titles.get(name, name)}, {label(row)}: {_first_line(reason)}"
            for row, reason in suite["failures"].items()
        ]
    return "## Not measured\n\n" + "\n".join(lines) + "\n"


def _first_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 160 else line[:160] + "..."


if __name__ == "__main__":
    print(write(json.loads(Path(sys.argv[1]).read_text("utf-8"))))
