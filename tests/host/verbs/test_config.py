from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from host.cli import main
from tests.host.outcome import RunHost


def test_what_is_shown_could_stand_in_the_file(run: RunHost, directory: str) -> None:
    outcome = run("config", "show", "--strict")

    assert tomllib.loads(outcome.out) == {
        "json": False,
        "plugin-dir": [directory],
        "allow-plugin-module": [],
        "strict": True,
        "plugin-logs": False,
        "call-timeout": 5,
        "start-timeout": 10,
    }
    assert "# timeout = (no limit)\n" in outcome.out


def test_the_origins_are_flag_variable_file_and_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "goplugin.toml").write_text("\nstart-timeout = 3\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GOPLUGIN_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("GOPLUGIN_STRICT", "1")

    assert main(["config", "show", "--origin", "--timeout", "2"]) == 0
    lines = [line.partition(" # ") for line in capsys.readouterr().out.splitlines()]
    origins = {setting.strip(): origin for setting, _, origin in lines}

    assert origins["strict = true"] == "GOPLUGIN_STRICT"
    assert origins["timeout = 2"] == "--timeout"
    assert origins["start-timeout = 3"] == f"{tmp_path}/goplugin.toml:2"
    assert origins["call-timeout = 5"] == "default"


def test_for_programs_a_setting_is_a_value_or_value_and_origin(run: RunHost) -> None:
    assert run("config", "show", "--json").json["call-timeout"] == 5
    assert run("config", "show", "--json", "--origin").json["json"] == {"value": True, "origin": "--json"}


def test_there_is_nothing_to_do_but_show(run: RunHost) -> None:
    assert run("config").out == run("config", "show").out
    assert run("config", "set").code == 2
