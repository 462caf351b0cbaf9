from __future__ import annotations

from pathlib import Path

from tests.host.outcome import RunHost
from tests.support import requirement


@requirement("ow.dts")
def test_a_modules_declarations_are_printed(run: RunHost) -> None:
    outcome = run("dts", "plugin:echo")

    assert outcome.code == 0
    assert outcome.out.startswith("// plugin:echo v1: written by `python -m host dts`\n")
    assert outcome.out.endswith("  export = module;\n}\n")
    assert run("dts", "plugin:echo", "--json").json == {"module": "plugin:echo", "declarations": outcome.out}


@requirement("ow.dts")
def test_a_file_is_checked(run: RunHost, tmp_path: Path) -> None:
    file = tmp_path / "echo.d.ts"
    file.write_text(run("dts", "plugin:echo").out)

    assert run("dts", "plugin:echo", "--check", str(file)).code == 0
    file.write_text(file.read_text().replace("ping:", "pong:"))
    outcome = run("dts", "plugin:echo", "--check", str(file))
    data = run("dts", "plugin:echo", "--check", str(file), "--json")

    assert outcome.code == data.code == 1
    assert "-    pong: Call<" in outcome.out
    assert "+    ping: Call<" in outcome.out
    assert outcome.err.startswith(f"error: {file} is out of date: ")
    assert data.json["same"] is False


def test_a_file_that_is_not_there_is_not_found(run: RunHost, tmp_path: Path) -> None:
    assert run("dts", "plugin:echo", "--check", str(tmp_path / "none")).code == 3
