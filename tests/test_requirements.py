"""The rules that bind requirements.toml to the tests, tried on small suites."""
from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from scripts.requirements_table import claims, table

pytest_plugins = ["pytester"]

ROWS = Path(__file__).with_name("requirements.toml")
CLAIM = """
import pytest

@pytest.mark.requirement("x.one")
def test_one(): pass

def test_other(): pass
"""


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A suite under the rules of this one; its row x.one is planned and claimed."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeini("[pytest]\ntestpaths = tests\nmarkers = requirement(*ids): rows\n")
    pytester.mkdir("tests")
    write(pytester, "tests/test_it.py", CLAIM)
    write(pytester, "tests/requirements.toml", '[x]\n"x.one" = { status = "planned", feature = "a" }\n')
    return pytester


def write(pytester: pytest.Pytester, path: str, text: str) -> None:
    pytester.path.joinpath(path).write_text(text, "utf-8")


def collect(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess("-p", "tests.conftest", "--collect-only", *arguments)


def add_done_row(pytester: pytest.Pytester) -> None:
    with open(pytester.path / "tests/requirements.toml", "a") as file:
        file.write('"x.two" = { status = "done", feature = "b" }\n')


def test_a_planned_row_may_be_claimed_and_a_test_needs_no_row(suite: pytest.Pytester) -> None:
    assert collect(suite).ret == pytest.ExitCode.OK


def test_a_planned_row_needs_no_test(suite: pytest.Pytester) -> None:
    write(suite, "tests/test_it.py", "def test_other(): pass")

    assert collect(suite).ret == pytest.ExitCode.OK


def test_a_claim_of_an_unknown_row_fails_and_names_the_test(suite: pytest.Pytester) -> None:
    write(suite, "tests/test_it.py", CLAIM.replace("x.one", "x.oen"))

    result = collect(suite)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines("ERROR: tests/test_it.py::test_one claims 'x.oen', which is not a row*")


def test_an_unknown_row_fails_a_narrowed_run_too(suite: pytest.Pytester) -> None:
    write(suite, "tests/test_it.py", CLAIM.replace("x.one", "x.oen"))

    assert collect(suite, "tests/test_it.py").ret == pytest.ExitCode.USAGE_ERROR


def test_a_done_row_without_a_test_fails(suite: pytest.Pytester) -> None:
    add_done_row(suite)

    result = collect(suite)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines("ERROR: 'x.two' is done, but no test claims it*")


def test_a_done_row_with_a_test_passes(suite: pytest.Pytester) -> None:
    add_done_row(suite)
    write(suite, "tests/test_two.py", CLAIM.replace("x.one", "x.two"))

    assert collect(suite).ret == pytest.ExitCode.OK


@pytest.mark.parametrize("arguments", [["tests/test_it.py"], ["-k", "one"], ["--deselect=tests/test_it.py::test_one"]])
def test_a_narrowed_run_does_not_ask_for_the_tests_it_left_out(suite: pytest.Pytester, arguments: list[str]) -> None:
    add_done_row(suite)

    assert collect(suite, *arguments).ret == pytest.ExitCode.OK


def test_a_module_that_cannot_be_imported_is_the_error_reported(suite: pytest.Pytester) -> None:
    add_done_row(suite)
    write(suite, "tests/test_it.py", "import no_such_module")

    result = collect(suite)

    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines("*No module named 'no_such_module'*")


def test_the_table_shows_rows_with_status_reason_and_claims(tmp_path: Path) -> None:
    tmp_path.joinpath("test_it.py").write_text('@requirement("x.one", "x.two")\nasync def test_it_works(): ...\n')
    groups = {
        "Group": {
            "x.one": {"status": "done", "feature": "a"},
            "x.two": {"status": "not-applicable", "reason": "no such thing", "feature": "b"},
            "x.three": {"status": "planned", "feature": "c"},
        }
    }

    lines = table(groups, claims(tmp_path)).splitlines()

    assert "1 done, 1 not-applicable, 1 planned." in lines
    assert "| `x.one` | a | done | [it_works](../tests/test_it.py) |" in lines
    assert "| `x.two` | b | not-applicable: no such thing | [it_works](../tests/test_it.py) |" in lines
    assert "| `x.three` | c | planned |  |" in lines


def test_every_row_is_well_formed() -> None:
    for group in tomllib.loads(ROWS.read_text("utf-8")).values():
        for name, row in group.items():
            assert row["status"] in ("done", "planned", "not-applicable"), name
            assert row.keys() - {"reason"} == {"status", "feature"}, name
            assert ("reason" in row) == (row["status"] == "not-applicable"), name


def test_no_row_stands_in_two_groups() -> None:
    names = [name for group in tomllib.loads(ROWS.read_text("utf-8")).values() for name in group]

    assert len(names) == len(set(names))
