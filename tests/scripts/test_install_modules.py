"""The header of an installed example is right for the kernel, for /bin/sh and for Python."""
from __future__ import annotations

import ast
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.install_modules import EXAMPLES, executable_text, install, main
from tests.support import requirement

SOURCE = '"""What the plugin is for."""\nfrom __future__ import annotations\n\nANSWER = 42\n'


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "example.py"
    path.write_text(SOURCE)
    return path


@pytest.mark.parametrize("directory", ["plain", "with spaces", "it's \"quoted\" $HOME `x`", "x" * 250 + "/" + "y" * 99])
def test_an_installed_file_runs_under_its_interpreter_wherever_that_lives(
    tmp_path: Path, source: Path, directory: str
) -> None:
    python = tmp_path / directory / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nprintf '%s|' \"$@\"\n")
    python.chmod(0o755)
    target = tmp_path / "goja-plugin-x y"
    install(source, target, str(python))

    output = subprocess.run([target, "first argument", ""], check=True, stdout=subprocess.PIPE, text=True).stdout

    assert output == f"-P|-m|goplugin|run|{target}|first argument||"


def test_an_installed_file_is_still_the_python_module(tmp_path: Path, source: Path) -> None:
    install(source, tmp_path / "installed", "/usr/bin/python3")
    text = (tmp_path / "installed").read_text()

    namespace: dict[str, object] = {}
    exec(compile(text, "installed", "exec", dont_inherit=True), namespace)

    assert text.endswith(SOURCE)
    assert namespace["ANSWER"] == 42
    assert (ast.get_docstring(ast.parse(text)) or "").endswith("What the plugin is for.")


def test_anyone_may_run_an_installed_file_and_nothing_else_is_left(tmp_path: Path, source: Path) -> None:
    directory = tmp_path / "plugins"
    directory.mkdir()
    install(source, directory / "installed", "/usr/bin/python3")

    assert stat.S_IMODE((directory / "installed").stat().st_mode) == 0o755
    assert [path.name for path in directory.iterdir()] == ["installed"]


def test_a_file_without_a_docstring_is_still_a_module(tmp_path: Path, source: Path) -> None:
    source.write_text("# a comment\nfrom __future__ import annotations\n\nANSWER = 42\n")
    install(source, tmp_path / "installed", "/usr/bin/python3")

    namespace: dict[str, object] = {}
    exec(compile((tmp_path / "installed").read_text(), "installed", "exec", dont_inherit=True), namespace)

    assert namespace["ANSWER"] == 42


def test_a_file_that_is_no_python_is_refused_and_the_old_one_stays(tmp_path: Path, source: Path) -> None:
    install(source, tmp_path / "installed", "/usr/bin/python3")
    before = (tmp_path / "installed").read_text()
    source.write_text("import sys as\n")

    with pytest.raises(SyntaxError):
        install(source, tmp_path / "installed", "/usr/bin/python3")

    assert (tmp_path / "installed").read_text() == before


@requirement("jm.install")
def test_all_examples_are_installed_under_their_plugin_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEFAULT_PLUGIN_DIR", str(tmp_path / "plugins" / "examples"))

    main([])

    names = ["clock", "failing", "greeter", "kv", "system-info", "validator"]
    targets = {name: tmp_path / "plugins" / "examples" / f"goja-plugin-examples-{name}" for name in names}
    assert sorted((tmp_path / "plugins" / "examples").iterdir()) == sorted(targets.values())
    assert capsys.readouterr().out.splitlines() == [f"installing {name} -> {path}" for name, path in targets.items()]


def test_a_file_of_ones_own_is_installed_under_its_name(tmp_path: Path, source: Path) -> None:
    main([str(source), "--dir", str(tmp_path / "plugins")])

    assert [path.name for path in (tmp_path / "plugins").iterdir()] == ["goja-plugin-example"]


def test_the_directory_may_be_given_as_an_argument(tmp_path: Path) -> None:
    main(["--dir", str(tmp_path)])

    assert len(list(tmp_path.iterdir())) == len(list(EXAMPLES.glob("[!_]*.py")))


def test_python_sees_no_end_of_the_string_in_a_path_full_of_quotes() -> None:
    ast.parse(executable_text(SOURCE, "/''''/'python"))


def test_a_module_in_webassembly_is_installed_under_the_name_hosts_look_for(tmp_path: Path) -> None:
    summer = EXAMPLES.parent / "wasm" / "summer" / "summer.wat"

    main([str(summer), "--dir", str(tmp_path)])
    main([str(tmp_path / "goja-wasm-summer.wasm"), "--dir", str(tmp_path / "copy")])

    (installed,), (copied,) = list(tmp_path.glob("*.wasm")), list((tmp_path / "copy").iterdir())
    assert installed.name == copied.name == "goja-wasm-summer.wasm"
    assert copied.read_bytes() == installed.read_bytes()
    assert installed.read_bytes().startswith(b"\0asm")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("missing.py", None, "{file}: no such file or directory"),
        ("bad.py", b"import os\nimport sys as\n", "{file}:2: "),
        ("bytes.py", b"\xff", "{file}: 'utf-8' codec can't decode"),
        ("null.py", b"\0", "{file}: source code"),
        ("bad.wat", b"(module\n  (fnc))", "{file}:2: "),
    ],
)
def test_a_file_that_cannot_be_installed_is_named_in_one_line_and_nothing_is_written(
    tmp_path: Path, source: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes | None, reason: str
) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(SystemExit) as caught:
        main([str(source), str(file), "--dir", str(tmp_path / "plugins")])

    assert str(caught.value).startswith("error: " + reason.format(file=file))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "plugins").exists()
    assert capsys.readouterr().out == ""


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path, source: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        main([str(source), "--dir", str(source / "plugins")])

    assert str(caught.value) == f"error: {source / 'plugins'}: not a directory"


def test_text_of_webassembly_without_its_assembler_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wasmtime", None)
    summer = EXAMPLES.parent / "wasm" / "summer" / "summer.wat"

    with pytest.raises(SystemExit) as caught:
        main([str(summer), "--dir", str(tmp_path / "plugins")])

    assert str(caught.value).endswith("summer.wat: its text is assembled by wasmtime, which is not installed: "
                                      "pip install wasmtime")
    assert not (tmp_path / "plugins").exists()
