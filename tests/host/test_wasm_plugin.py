"""Modules in WebAssembly beside plugins in processes: `require` does not tell the difference."""
from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import wasmtime

from host import Runtime
from host.discovery import discover
from host.errors import LoadError
from tests.support import requirement

from .plugins import add_echo, children

SOURCE = (Path(__file__).parents[2] / "examples" / "wasm" / "summer" / "summer.wat").read_text("utf-8")
MODULE = "plugin:examples:summer"
SUM = f"require('{MODULE}').sum"


def add_wasm(directory: Path, name: str = "summer", change: Callable[[str], str] = str) -> str:
    path = directory / f"goja-wasm-{name}.wasm"
    path.write_bytes(wasmtime.wat2wasm(change(SOURCE)))
    return str(path)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    add_wasm(tmp_path)
    return tmp_path


@requirement("ow.wasm-module")
def test_a_file_in_the_directory_is_a_module_like_the_others(directory: Path) -> None:
    add_echo(directory, "echo", "plugin:echo")
    with Runtime([str(directory)]) as runtime:
        assert [module.name for module in runtime.modules] == ["plugin:echo", MODULE]
        assert runtime.eval(f"{SUM}(1, 2, require('plugin:echo').ping(3.5))") == 6.5
        assert runtime.eval(f"await Promise.all([1, 2, 3].map((n) => {SUM}.async(n, n)))") == [2, 4, 6]
        assert len(children()) == 1
        assert runtime.call(MODULE, "sum", args=[1, 2]) == 3


@requirement("ow.wasm-module")
def test_its_errors_are_those_of_a_plugin(directory: Path) -> None:
    with Runtime([str(directory)]) as runtime:
        shown = runtime.eval(f"try {{ {SUM}('1') }} catch (e) {{ [e instanceof Error, e.message, e.code] }}")
        assert shown == [True, "rpc error: code = Unknown desc = every argument has to be a number", "Unknown"]


def test_it_need_not_be_executable_and_no_go_host_looks_for_its_name(directory: Path) -> None:
    path = str(directory / "goja-wasm-summer.wasm")
    (directory / "summer.wasm").write_bytes(b"")
    (directory / "goja-wasm-old.wasm~").write_bytes(b"")

    found = discover([str(directory)])

    assert found.candidates == (path,)
    assert [skipped.path for skipped in found.skipped] == [str(directory / "goja-wasm-old.wasm~")]
    assert not Path(path).stat().st_mode & 0o111


@requirement("wa.sandbox")
def test_a_hostile_module_costs_a_call_and_no_more(tmp_path: Path) -> None:
    add_wasm(tmp_path, "endless", lambda source: source.replace("(loop $next\n", "(loop $next (br $next)\n"))
    add_wasm(tmp_path, "good", lambda source: source.replace("examples:summer", "examples:winner"))
    with Runtime([str(tmp_path)], call_timeout=0.2) as runtime:
        code = f"try {{ {SUM}(1) }} catch (e) {{ e.code }}"
        assert [runtime.eval(code), runtime.eval(code)] == ["DeadlineExceeded", "Unavailable"]
        assert runtime.eval("require('plugin:examples:winner').sum(1, 2)") == 3


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("\\16plugin:", "\\16nigulp:", 'must use namespace "plugin:"'),
        ("(result i64) (i64.const 1)", "(result i64) (i64.const 7)", "host: 1, plugin: 7"),
        ("(module", '(module (import "env" "x" (func))', "imports what no host module offers: env.x"),
    ],
)
def test_one_that_is_no_such_module_is_left_out_and_the_report_says_why(
    directory: Path, old: str, new: str, text: str
) -> None:
    path = add_wasm(directory, "bad", lambda source: source.replace(old, new, 1))
    with Runtime([str(directory)]) as runtime:
        assert [module.name for module in runtime.modules] == [MODULE]
        (failure,) = runtime.report.failures
        assert failure.path == path
        assert text in str(failure.error)
    with pytest.raises(LoadError, match=r"plugin|manifest"), Runtime([str(directory)], strict=True):
        pass


@requirement("ow.wasm-module")
def test_list_and_inspect_show_what_it_is_and_what_it_may_do(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from host.cli import main

    flags = ["--plugin-dir", str(directory)]
    assert main([*flags, "list", "--json"]) == 0
    assert [module["kind"] for module in json.loads(capsys.readouterr().out)["modules"]] == ["wasm"]
    assert main([*flags, "inspect", MODULE]) == 0
    shown = capsys.readouterr().out
    assert "sandbox:      no files, no environment, no network; 256 MiB of memory; one call at a time" in shown
    assert main([*flags, "ping", MODULE, "-n", "3"]) == 0
    assert f"{MODULE} (WebAssembly), " in capsys.readouterr().out


@requirement("wa.version")
def test_inspect_shows_the_services_of_any_plugin_in_webassembly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from host.cli import main

    greeter = Path(__file__).parents[2] / "examples" / "wasm" / "greeter" / "greeter.wat"
    path = tmp_path / "greeter.wasm"
    path.write_bytes(wasmtime.wat2wasm(greeter.read_text("utf-8")))

    assert main(["inspect", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "greeter version 1\n  greeter_say_hello\n" in shown
    assert "imports:      nothing\n" in shown
    assert main(["--json", "inspect", str(path)]) == 0
    about = json.loads(capsys.readouterr().out)
    assert about["services"] == [{"name": "greeter", "version": 1, "methods": ["greeter_say_hello"]}]
    path.write_bytes(b"")
    assert main(["inspect", str(path)]) == 5
    assert "greeter.wasm is not a WebAssembly module" in capsys.readouterr().err


def test_inspect_shows_no_control_characters_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from host.cli import main

    path = tmp_path / "evil.wasm"
    path.write_bytes(wasmtime.wat2wasm(r"""(module
      (import "\1b]0;x" "y" (func))
      (func (export "\1b[31m_api_version") (result i64) (i64.const 1)))"""))

    assert main(["inspect", str(path)]) == 0
    assert "\x1b" not in capsys.readouterr().out
