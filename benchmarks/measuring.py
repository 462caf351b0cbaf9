"""Doing the suites: all rows of a suite in turn, round by round, so that a slow moment of the machine hits them all."""
from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

from .results import Suite
from .suites import (
    FLAT_PAIRS,
    FLAT_STEP,
    FLAT_STEPS,
    MEMORY_ALONE,
    MEMORY_CALLS,
    MEMORY_CLIENTS,
    MEMORY_PAIRS,
    SPAWN,
    SPAWN_ROUNDS,
    WASM_FLAT,
    WASM_FLAT_CALLS,
    WASM_FLAT_SIZE,
    WASM_FLAT_STEPS,
    Operation,
)
from .workers import Bench, HostProcess, Pair, WorkerError, memory_of

__all__ = ["Comparison"]

Measure = Callable[[], Mapping[str, Any]]


class Comparison:
    """The suites, over the stacks that are there: `missing` are not. `report` gets a line of text now and then."""

    def __init__(self, bench: Bench, missing: Mapping[str, str], report: Callable[[str], None]) -> None:
        self._bench = bench
        self._missing = missing
        self._report = report

    def operation(self, operation: Operation) -> Suite:
        suite = Suite(rows={}, failures={})
        with self._hosts(operation.pairs, suite) as hosts:
            measures = {
                str(pair): lambda host=host: host.ask(operation.op, **operation.arguments)
                for pair, host in hosts.items()
            }
            return self._in_turn(operation.name, measures, operation.rounds, suite)

    def spawn(self, rows: Sequence[str]) -> Suite:
        """Launches, all by one Go host."""
        suite = Suite(rows={}, failures={})
        with HostProcess(self._bench, "go") as host:

            def measure(row: str) -> Mapping[str, Any]:
                launch = SPAWN[row]
                if launch.plugin is None:
                    return host.ask("run", command=[self._bench.python, "-c", "pass"])
                command = self._bench.plugin_command(launch.plugin)
                return host.ask("spawn", command=command, cookie=launch.cookie, path=launch.path)

            measures = {row: lambda row=row: measure(row) for row in rows if not self._misses(row)}
            return self._in_turn("spawn", measures, SPAWN_ROUNDS, suite)

    def memory(self) -> Suite:
        """A plugin that is idle after its first calls, and what each further plugin costs its host."""
        suite = Suite(rows={}, failures={})
        with self._hosts(MEMORY_PAIRS, suite) as hosts:
            for pair, host in hosts.items():
                figures: dict[str, float] = {}
                suite["rows"][str(pair)] = [figures]
                with self._failure(suite, str(pair)):
                    host.ask("calls", count=MEMORY_CALLS)
                    plugin, before = memory_of(host.plugin_pid), memory_of(host.pid)
                    figures |= {"resident_mib": plugin.resident, "private_mib": plugin.private}
                    if pair not in MEMORY_ALONE:
                        host.ask("open", count=MEMORY_CLIENTS)
                        added = memory_of(host.pid).resident - before.resident
                        figures["per_client_kib"] = added / MEMORY_CLIENTS * 1024
        self._report("memory: done")
        return suite

    def flat(self) -> Suite:
        """Resident memory of both processes between portions of very many calls."""
        suite = Suite(rows={}, failures={})
        with self._hosts(FLAT_PAIRS, suite) as hosts:
            for pair, host in hosts.items():
                rounds = suite["rows"][str(pair)] = []
                with self._failure(suite, str(pair)):
                    for _ in range(FLAT_STEPS + 1):
                        host.ask("calls", count=FLAT_STEP)
                        both = memory_of(host.pid), memory_of(host.plugin_pid)
                        rounds.append({"host_mib": both[0].resident, "plugin_mib": both[1].resident})
                self._report(f"flat: {pair} done")
        return suite

    def wasm_flat(self) -> Suite:
        """Resident memory of the host and linear memory of its plugin, between portions of calls that fetch a lot."""
        suite = Suite(rows={}, failures={})
        with self._hosts([WASM_FLAT], suite) as hosts:
            for pair, host in hosts.items():
                rounds = suite["rows"][str(pair)] = []
                with self._failure(suite, str(pair)):
                    for _ in range(WASM_FLAT_STEPS + 1):
                        drained = host.ask("drain", count=WASM_FLAT_CALLS, size=WASM_FLAT_SIZE)
                        rounds.append({"host_mib": memory_of(host.pid).resident, **drained})
        self._report("wasm_flat: done")
        return suite

    @contextlib.contextmanager
    def _hosts(self, pairs: Sequence[Pair], suite: Suite) -> Generator[dict[Pair, HostProcess]]:
        """A host for each pair that can be had; why another cannot goes into `suite`."""
        hosts: dict[Pair, HostProcess] = {}
        try:
            for pair in pairs:
                if self._misses(pair.host) or self._misses(pair.plugin):
                    continue
                with self._failure(suite, str(pair)):
                    hosts[pair] = HostProcess(self._bench, *pair)
            yield hosts
        finally:
            for host in hosts.values():
                host.hang_up()
            for host in hosts.values():
                host.close()

    def _in_turn(self, name: str, measures: dict[str, Measure], rounds: int, suite: Suite) -> Suite:
        """One round more than asked for: the first is not counted, it warms up."""
        suite["rows"].update({row: [] for row in measures})
        for number in range(rounds + 1):
            for row in [row for row in measures if row not in suite["failures"]]:
                with self._failure(suite, row):
                    figures = dict(measures[row]())
                    if number:
                        suite["rows"][row].append(figures)
            if number % 5 == 0 or number == rounds:
                self._report(f"{name}: round {number} of {rounds}")
        return suite

    def _misses(self, stack: str) -> bool:
        return stack in self._missing

    @contextlib.contextmanager
    def _failure(self, suite: Suite, row: str) -> Generator[None]:
        """The row has failed if its host cannot do what the body asks for; the others go on."""
        try:
            yield
        except WorkerError as error:
            suite["failures"][row] = str(error)
            self._report(f"{row}: " + str(error).partition("\n")[0])
