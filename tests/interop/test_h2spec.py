"""h2spec judges our servers. What fails is in docs/http2-conformance.md, with the reason, and nothing else fails."""
from __future__ import annotations

import re
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from .grpc_testing.async_service import AsyncService
from .grpc_testing.plain_service import PlainService
from .judges import Judges
from .serving import asyncio_server, blocking_server

pytestmark = pytest.mark.go

DOCUMENT = Path(__file__).parents[2] / "docs" / "http2-conformance.md"
ROW = re.compile(r"^\| `(.+?)` \| (\w+) \|", re.MULTILINE)
CASES = 145
WAIT_SECONDS = 1        # that a case waits for what should come, or should not
SECONDS = 100.0


@pytest.fixture(scope="module")
def reports(judges: Judges, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """h2spec's reports on both runtimes; they are judged at the same time, because h2spec mostly waits."""
    directory = tmp_path_factory.mktemp("h2spec")
    reports = {runtime: directory / f"{runtime}.xml" for runtime in ("asyncio", "blocking")}
    with asyncio_server(AsyncService()) as first, blocking_server(PlainService()) as second:
        runs = [
            subprocess.Popen(
                [judges.h2spec, f"--port={port}", f"--timeout={WAIT_SECONDS}", f"--junit-report={report}"],
                stdout=subprocess.DEVNULL,
            )
            for port, report in zip((first, second), reports.values(), strict=True)
        ]
        for run in runs:
            run.wait(SECONDS)
    return reports


def failing(report: Path) -> set[str]:
    """The names of the cases that failed, as h2spec takes them as arguments: `http2/5.1.2/1`."""
    names: dict[str, ElementTree.Element] = {}
    for suite in ElementTree.parse(report).iter("testsuite"):
        section = suite.get("package")
        names.update((f"{section}/{number}", case) for number, case in enumerate(suite.iter("testcase"), 1))
    assert len(names) == CASES
    return {name for name, case in names.items() if case.find("error") is not None}


@pytest.mark.parametrize("runtime", ["asyncio", "blocking"])
def test_what_fails_is_explained(reports: dict[str, Path], runtime: str) -> None:
    explained = {name for name, _ in ROW.findall(DOCUMENT.read_text())}

    # One of them is about many calls at once, and passes where the server is slow enough to have them.
    assert explained - {"http2/5.1.2/1"} <= failing(reports[runtime]) <= explained


def test_nothing_fails_that_grpc_go_passes() -> None:
    assert {verdict for _, verdict in ROW.findall(DOCUMENT.read_text())} == {"fails", "skips"}
