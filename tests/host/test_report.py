from __future__ import annotations

import pytest

from goplugin import PluginError
from host.discovery import Skipped
from host.report import Failure, LoadedModule, LoadReport, Refused, callables, flat_name
from jsbridge.contract import ExportKind, ExportSpec, MethodSpec, ModuleManifest
from tests.support import requirement

GREETER = LoadedModule("/p/greeter", "plugin:greeter", "v1", ("greet", "strings.upper"))
CLOCK = LoadedModule("/p/clock", "plugin:clock")


def failures(*texts: str) -> tuple[Failure, ...]:
    return tuple(Failure(f"/p/{text}", "", PluginError(text)) for text in texts)


@requirement("jm.report")
@pytest.mark.parametrize(
    ("report", "summary"),
    [
        (LoadReport(), "no plugin directories configured"),
        (LoadReport(directories=("/a", "/b")), "no plugins found under /a, /b"),
        (
            LoadReport(directories=("/p",), candidates=("/p/x", "/p/y")),
            "plugin candidates found: 2, but no modules loaded",
        ),
        (
            LoadReport(directories=("/p",), candidates=("/p/x",), loaded=(CLOCK, GREETER)),
            "plugins loaded: plugin:clock, plugin:greeter",
        ),
        (LoadReport(directories=("/p",), failures=failures("boom")), "plugin load errors: 1"),
        (LoadReport(candidates=("/p/x", "/p/y"), failures=failures("boom")), "plugin load errors: 1; candidates: 2"),
        (
            LoadReport(candidates=("/p/x", "/p/y"), loaded=(CLOCK,), failures=failures("boom", "bang")),
            "plugin load errors: 2; loaded: 1",
        ),
    ],
)
def test_the_summary_says_the_most_important_thing(report: LoadReport, summary: str) -> None:
    assert report.summary() == summary


@requirement("jm.report")
def test_the_details_of_nothing() -> None:
    assert LoadReport().detail_lines() == [
        "Plugin discovery directories: none",
        "Plugin candidates discovered: 0",
        "Plugin modules loaded: 0",
    ]


@requirement("jm.report")
def test_the_details_list_everything_in_order() -> None:
    report = LoadReport(
        directories=("/p", "/q"),
        candidates=("/p/clock", "/p/greeter"),
        loaded=(CLOCK, GREETER),
        failures=failures("boom"),
    )

    assert report.detail_lines() == [
        "Plugin discovery directories:",
        "  - /p",
        "  - /q",
        "Plugin candidates discovered: 2",
        "  - /p/clock",
        "  - /p/greeter",
        "Plugin modules loaded: 2",
        "  - plugin:clock <- /p/clock",
        "  - plugin:greeter (v1) <- /p/greeter",
        "    exports: greet, strings.upper",
        "Plugin loading errors: 1",
        "  - boom",
    ]


def test_the_details_say_what_was_left_out() -> None:
    report = LoadReport(
        skipped=(Skipped("/p/x", 'plugin candidate "/p/x" is not executable'),),
        refused=(Refused("/p/kv", "plugin:kv", 'plugin module "plugin:kv" is not in the allowlist'),),
    )

    assert report.detail_lines() == [
        "Plugin discovery directories: none",
        "Plugin candidates discovered: 0",
        "Plugin candidates skipped: 1",
        '  - plugin candidate "/p/x" is not executable',
        "Plugin modules loaded: 0",
        "Plugin modules refused: 1",
        '  - plugin module "plugin:kv" is not in the allowlist <- /p/kv',
    ]


@requirement("jm.report")
def test_an_error_said_twice_in_a_row_counts_once() -> None:
    report = LoadReport(failures=failures("a", "a", "b", "a"))

    assert report.errors == ("a", "b", "a")
    assert report.error == "a; b; a"


def test_activity_is_anything_that_was_configured_or_happened() -> None:
    assert not LoadReport().has_activity()
    assert LoadReport(directories=("/p",)).has_activity()
    assert LoadReport(failures=failures("boom")).has_activity()


def test_callables_are_flat_in_the_manifests_order() -> None:
    methods = (MethodSpec(name="upper"), MethodSpec(name="lower"))
    exports = (
        ExportSpec(name="strings", kind=ExportKind.OBJECT, method_specs=methods),
        ExportSpec(name="greet", kind=ExportKind.FUNCTION),
    )

    found = list(callables(ModuleManifest(exports=exports)))

    assert found == [("strings", "upper"), ("strings", "lower"), ("greet", "")]
    assert [flat_name(name) for name in found] == ["strings.upper", "strings.lower", "greet"]
