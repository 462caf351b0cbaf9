"""What a plugin may do, and whose choice that is: what the guide says, and that it is so."""
from __future__ import annotations

import os
from pathlib import Path

import pytest

import host
from host import Runtime
from host.help import page
from jsbridge.engine import JSError
from tests.host.plugins import add_echo, add_shell
from tests.support import requirement

ROOT = Path(host.__file__).parent.parent


@requirement("jm.trust")
@pytest.mark.parametrize("text", [page("goja-plugin-user-guide"), (ROOT / "README.md").read_text("utf-8")])
def test_it_is_said_that_a_plugin_is_no_sandbox(text: str) -> None:
    assert "not a sandbox" in " ".join(text.split())


@requirement("jm.trust")
def test_nothing_is_run_but_what_is_in_the_directories_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, elsewhere = tmp_path / "given", tmp_path / "elsewhere"
    add_echo(given, "echo", "plugin:echo")
    for directory in (elsewhere, given / "below"):
        add_shell(directory, "other", f"touch {tmp_path / 'was-run'}")
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("PATH", f"{elsewhere}{os.pathsep}{os.environ['PATH']}")

    with Runtime([str(given)]) as runtime:
        assert [module.name for module in runtime.modules] == ["plugin:echo"]

    assert not (tmp_path / "was-run").exists()


@requirement("jm.trust")
def test_a_plugin_is_a_process_of_its_own_with_the_rights_of_its_user(tmp_path: Path) -> None:
    add_echo(tmp_path, "echo", "plugin:echo")
    add_echo(tmp_path, "crash", "plugin:crash")

    with Runtime([str(tmp_path)]) as runtime:
        pid = runtime.eval("require('plugin:echo').process.pid()")
        assert pid != os.getpid()
        assert Path(f"/proc/{pid}").stat().st_uid == os.geteuid()
        with pytest.raises(JSError):
            runtime.eval("require('plugin:crash').process.crash('')")
        assert runtime.eval("require('plugin:echo').ping('alive')") == "alive"
