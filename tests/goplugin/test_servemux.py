from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import requirement

PROGRAM = """
from goplugin import GRPCPlugin, HandshakeConfig, ServeConfig
from goplugin.servemux import serve_mux

class Empty(GRPCPlugin):
    def grpc_server(self, server):
        pass

def config(version):
    return ServeConfig(HandshakeConfig("COOKIE", "cookie", version), plugins={"p": Empty()})

serve_mux({"one": config(1), "two": config(2)})
"""


def run(directory: Path, *arguments: str, environ: dict[str, str] | None = None) -> subprocess.Popen[str]:
    path = directory / "program.py"
    path.write_text(PROGRAM)
    return subprocess.Popen(
        [sys.executable, str(path), *arguments],
        env={"TMPDIR": str(directory)} | (environ or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@requirement("gp.servemux")
@pytest.mark.parametrize(("name", "version"), [("one", 1), ("two", 2)])
def test_the_argument_says_which_plugin_is_served(tmp_path: Path, name: str, version: int) -> None:
    with run(tmp_path, name, environ={"COOKIE": "cookie"}) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.terminate()

    assert line.startswith(f"1|{version}|")
    assert process.returncode == 0


@requirement("gp.servemux")
@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((), "Invoked improperly. This is an internal command that shouldn't\nbe manually invoked.\n"),
        (("one", "two"), "Invoked improperly. This is an internal command that shouldn't\nbe manually invoked.\n"),
        (("three",), "Unknown plugin: three\n"),
    ],
)
def test_without_the_name_of_a_plugin_it_explains_itself(tmp_path: Path, arguments: tuple[str, ...], text: str) -> None:
    process = run(tmp_path, *arguments)

    out, err = process.communicate()

    assert (process.returncode, out, err) == (1, "", text)
