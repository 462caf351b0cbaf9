from __future__ import annotations

import os
import socket
import tempfile
from importlib import metadata
from pathlib import Path

import pytest

from goplugin import PluginError
from host import doctor
from host.errors import LoadError
from host.executables import Finding
from host.report import Failure, LoadedModule, LoadReport, Refused
from tests.support import requirement

from .plugins import add_shell


def levels(findings: list[Finding]) -> list[str]:
    return [finding.level for finding in findings]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


# --- environment -----------------------------------------------------------------------------------------------------


def test_the_versions_of_this_environment_fit() -> None:
    found = list(doctor.environment())

    assert found[0].text.startswith("Python 3.")
    assert {finding.text.partition(" ")[0] for finding in found} >= {"dukpy", "grpclib", "attrs"}
    assert set(levels(found)) == {"ok"}


def test_an_old_interpreter_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.version_info", (3, 10, 1))

    found = next(iter(doctor.environment()))

    assert (found.level, found.fix) == ("error", "use 3.11 or later")


def test_a_package_that_is_missing_or_too_old_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = ["dukpy<0.7,>=0.6", "attrs>=99.1", "nosuch>=1; python_version > '3'", "uvloop>=0.21; extra == 'uvloop'"]
    monkeypatch.setattr(metadata, "requires", lambda name: wanted)

    found = list(doctor.environment())

    assert levels(found)[:4] == ["ok", "ok", "error", "error"]
    assert "is installed, and >=99.1 is needed" in found[2].text
    assert found[3].text == "the package nosuch is missing"
    assert found[3].fix.endswith(" -m pip install 'nosuch>=1'")


def test_optional_packages_are_told_of_present_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"prompt_toolkit": "3.0.47"}

    def version(name: str) -> str:
        if name not in versions:
            raise metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(metadata, "requires", lambda name: [])
    monkeypatch.setattr(metadata, "version", version)

    _, absent, present = doctor.environment()

    assert (absent.level, absent.text) == ("note", "the package wasmtime is missing, for plugins as WebAssembly")
    assert absent.fix.endswith(" -m pip install wasmtime, if that is wanted")
    assert (present.level, present.text) == ("ok", "prompt_toolkit 3.0.47, for the REPL in a terminal")


def test_a_temporary_directory_that_nobody_can_write_to_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "gettempdir", lambda: "/no/such")

    (found,) = [finding for finding in doctor.environment() if finding.level == "error"]

    assert (found.text, "TMPDIR" in found.fix) == ("nothing can be written to /no/such, where plugins listen", True)


# --- directories and files -------------------------------------------------------------------------------------------


def test_without_the_default_directory_there_is_a_warning(home: Path) -> None:
    (found,) = doctor.directories([])

    assert (found.level, found.text) == ("warning", f"there is no directory {home}/.go-go-goja/plugins")


@pytest.mark.parametrize(("kind", "text"), [("link", "is a link, and is not followed"), ("file", "is no directory")])
def test_a_default_directory_that_is_none_is_an_error(home: Path, kind: str, text: str) -> None:
    (home / ".go-go-goja").mkdir()
    root = home / ".go-go-goja" / "plugins"
    root.symlink_to(home) if kind == "link" else root.touch()

    (found,) = doctor.directories([])

    assert (found.level, found.text) == ("error", f"{root} {text}")


def test_given_directories_that_are_wrong_are_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "private").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may do anything

    found = list(doctor.directories([str(tmp_path / name) for name in ("file", "missing", "private")]))

    assert levels(found) == ["error"] * 3
    assert [finding.text.rpartition(str(tmp_path))[2] for finding in found] == [
        "/file is no directory",
        "/missing does not exist",
        "/private may not be read by you",
    ]


def test_plugins_below_a_given_directory_are_noticed(tmp_path: Path) -> None:
    add_shell(tmp_path / "below", "x", "")
    (tmp_path / "empty").mkdir()

    found = list(doctor.directories([str(tmp_path)]))

    assert [(each.level, each.fix) for each in found] == [("ok", ""), ("warning", f"--plugin-dir {tmp_path}/below")]


def test_a_directory_that_anybody_may_write_to_is_a_warning(tmp_path: Path) -> None:
    add_shell(tmp_path, "x", "")
    tmp_path.chmod(0o777)

    found = list(doctor.directories([str(tmp_path)]))

    assert [(each.level, each.fix) for each in found] == [("warning", f"chmod o-w {tmp_path}"), ("ok", "")]


def test_files_that_are_no_plugins_are_warnings_with_their_remedies(tmp_path: Path) -> None:
    os.chmod(add_shell(tmp_path, "a", ""), 0o600)
    add_shell(tmp_path, "b~", "")
    (tmp_path / "goja-plugin-c").symlink_to("nowhere")
    (tmp_path / "goja-plugin-d").mkdir()
    Path(add_shell(tmp_path, "e", "")).rename(tmp_path / "goja_plugin_e")
    (tmp_path / "plugin-notes.txt").touch()

    found = list(doctor.files([str(tmp_path)]))

    assert set(levels(found)) == {"warning"}
    assert [finding.fix for finding in found] == [
        f"chmod +x {tmp_path}/goja-plugin-a",
        f"rm '{tmp_path}/goja-plugin-b~', or rename it if it is meant to be used",
        f"rm {tmp_path}/goja-plugin-c",
        f"move {tmp_path}/goja-plugin-d elsewhere",
        f"mv {tmp_path}/goja_plugin_e {tmp_path}/goja-plugin-e, if it is a plugin",
    ]


# --- plugins and sockets ---------------------------------------------------------------------------------------------


def failure(stderr: str, cause: str = "plugin exited", path: str = "/p/x") -> Failure:
    return Failure(path, "", LoadError(f'start plugin "{path}"', PluginError(cause), path=path, stderr=stderr))


@requirement("ow.doctor")
def test_what_was_loaded_refused_and_not_loaded_is_told() -> None:
    report = LoadReport(
        loaded=(LoadedModule("/p/a", "plugin:a", "v1"),),
        failures=(failure(""), failure("", path="/p/known")),
        refused=(Refused("/p/b", "plugin:b", 'plugin module "plugin:b" is not in the allowlist'),),
    )

    found = list(doctor.plugins(report, ["plugin:a", "plugin:c"], faulty=["/p/known"]))

    assert [(each.level, each.text) for each in found] == [
        ("ok", "plugin:a v1"),
        ("error", 'start plugin "/p/x": plugin exited'),
        ("note", 'plugin module "plugin:b" is not in the allowlist <- /p/b'),
        ("warning", "the allowlist has plugin:c, which no plugin offers"),
        ("note", "plugin load errors: 2; loaded: 1"),
    ]


@pytest.mark.parametrize(
    ("stderr", "fix"),
    [
        ("ModuleNotFoundError: No module named 'yaml.x'", "python -m pip install yaml"),
        ("ModuleNotFoundError: No module named 'jsbridge'", "it was installed for another interpreter"),
        ("This binary is a plugin. These are not meant to be executed directly.", "it is a plugin of another program"),
    ],
)
@requirement("ow.doctor")
def test_the_remedy_is_for_what_the_plugin_said(stderr: str, fix: str) -> None:
    found = next(iter(doctor.plugins(LoadReport(failures=(failure(stderr),)))))

    assert found.fix.startswith(fix)
    assert found.text.endswith(f"\nplugin stderr: {stderr}")


def test_the_usual_causes_are_left_out_where_each_is_looked_at() -> None:
    report = LoadReport(failures=(failure("", cause="Unrecognized: x\nThis usually means\n  many things"),))

    assert next(iter(doctor.plugins(report))).text == 'start plugin "/p/x": Unrecognized: x'


def test_sockets_that_nobody_listens_on_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    (tmp_path / "plugin-dir1").mkdir()
    (tmp_path / "plugin-file").touch()
    stale, private, alive = (str(tmp_path / name) for name in ("plugin1", "plugin-dir1/p", "plugin2"))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(alive)
        listener.listen()
        for path in (stale, private):
            with socket.socket(socket.AF_UNIX) as ended:
                ended.bind(path)

        found = list(doctor.sockets())

    for path in (stale, private, alive):
        os.unlink(path)
    assert [(each.level, each.fix) for each in found] == [("warning", f"rm {path}") for path in (private, stale)]
    assert levels(list(doctor.sockets())) == ["ok"]
