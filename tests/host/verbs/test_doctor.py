from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.host.outcome import RunHost
from tests.host.plugins import add_echo, add_python, add_shell
from tests.support import requirement


@requirement("ow.doctor")
def test_where_all_is_well_the_code_is_0(run: RunHost) -> None:
    outcome = run("doctor")

    assert (outcome.code, outcome.err) == (0, "")
    assert "  ok       plugin:echo v1\n" in outcome.out
    assert outcome.out.splitlines()[-1].startswith("0 errors, ")


@requirement("ow.doctor")
def test_everything_that_is_wrong_is_told_with_its_remedy_and_the_code_is_1(run: RunHost, tmp_path: Path) -> None:
    crlf = add_shell(tmp_path, "crlf", "")
    Path(crlf).write_text("#!/bin/sh\r\n")
    add_shell(tmp_path, "early", "echo hello; exec sleep 60")
    add_shell(tmp_path, "cookie", "echo 'This binary is a plugin.' >&2; exit 1")
    add_echo(tmp_path, "again", "plugin:echo")
    add_python(tmp_path, "needs", '"""x"""\nimport nosuchpackage\n')

    outcome = run("doctor", "--plugin-dir", str(tmp_path), "--json")
    fixes = {finding["fix"] for finding in outcome.json["findings"] if finding["level"] == "error"}

    assert (outcome.code, outcome.json["errors"], len(fixes)) == (1, 5, 5)
    assert fixes >= {
        f"sed -i 's/\\r$//' {crlf}",
        "the first line a plugin prints must be the handshake; other output belongs on stderr",
        f"{sys.executable} -m pip install nosuchpackage",
        "move one of the two away, or choose directories with --plugin-dir",
    }
    assert outcome.json["report"]["summary"] == "plugin load errors: 5; candidates: 6"
    text = run("doctor", "--plugin-dir", str(tmp_path))
    assert all(f"fix: {fix}\n" in text.out for fix in fixes)
    assert text.out.splitlines()[-1].startswith("5 errors, ")


def test_without_the_packages_it_ends_before_it_needs_them(run: RunHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.requires", lambda name: ["nosuch"])

    outcome = run("doctor")

    assert outcome.code == 1
    assert "the package nosuch is missing" in outcome.out
    assert "plugins" not in outcome.out.splitlines()
