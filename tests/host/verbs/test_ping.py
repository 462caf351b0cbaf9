from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.verbs.ping import latency
from tests.host.outcome import RunHost
from tests.host.plugins import add_echo


def test_a_plugin_without_a_health_service_is_asked_for_an_export_that_it_lacks(run: RunHost, tmp_path: Path) -> None:
    elsewhere = "import goplugin.services; goplugin.services.HEALTH_CHECK_PATH = '/none'"
    add_echo(tmp_path, "x", "plugin:x", before=elsewhere)

    found = run("ping", "plugin:x", "-n", "2", "--json", "--plugin-dir", str(tmp_path)).json

    assert (found["asked"], found["n"]) == ("empty invoke", 2)


def test_a_plugin_is_asked_for_its_health_so_many_times(run: RunHost) -> None:
    outcome = run("ping", "plugin:echo", "-n", "7")

    assert outcome.code == 0
    number = r"\d+ µs"
    times = "  ".join(f"{name} {number}" for name in ("min", "p50", "p90", "p99", "max"))
    assert re.fullmatch(rf"plugin:echo \(process \d+\), health: n 7  {times}\n", outcome.out)


def test_for_programs_the_times_are_seconds(run: RunHost) -> None:
    found = run("ping", "plugin:echo", "--count", "3", "--json").json

    assert (found["module"], found["asked"], found["n"]) == ("plugin:echo", "health", 3)
    assert 0 < found["min"] <= found["p50"] <= found["p90"] <= found["p99"] <= found["max"] < 5


@pytest.mark.parametrize("count", ["0", "-1"])
def test_a_count_below_one_is_refused(run: RunHost, count: str) -> None:
    assert run("ping", "plugin:echo", f"--count={count}").code == 2


def test_a_module_that_is_not_there_is_not_found(run: RunHost) -> None:
    assert run("ping", "plugin:x").code == 3


@given(st.lists(st.floats(0, 10), min_size=1))
def test_a_percentile_is_the_least_time_that_so_many_do_not_exceed(times: list[float]) -> None:
    found = latency(times)

    for share, time in ((50, found.p50), (90, found.p90), (99, found.p99)):
        assert time in times
        assert sum(each <= time for each in times) * 100 >= share * len(times)
        assert sum(each < time for each in times) * 100 < share * len(times)
    assert (found.n, found.min, found.max) == (len(times), min(times), max(times))
