"""Whose log it is: hosts mirror what plugins log, each under its plugin's name."""
from __future__ import annotations

import io
import logging
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from goplugin import LaunchError
from tests.support import requirement

from .harness import PROBE, sh
from .hosts import HOSTS, NewHost
from .sync.harness import cleanly


@pytest.fixture
def mirrored() -> Iterator[io.StringIO]:
    """What a host that has called `logging.basicConfig` shows of the loggers `plugin` and `app`."""
    shown = io.StringIO()
    handler = logging.StreamHandler(shown)
    handler.setFormatter(logging.Formatter(logging.BASIC_FORMAT))
    loggers = [logging.getLogger("plugin"), logging.getLogger("app")]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
    yield shown
    for logger in loggers:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)


@requirement("gp.log.prefix")
@HOSTS
@cleanly
def test_each_line_begins_with_the_name_of_the_executable(
    new_host: NewHost, tmp_path: Path, mirrored: io.StringIO
) -> None:
    executable = tmp_path / "kv"
    executable.write_text(f"#!/bin/sh\nexec {shlex.join(PROBE)} plain\n")
    executable.chmod(0o755)
    with new_host(command=[str(executable)]) as host:
        host.start()
        host.run(
            """
            logging.getLogger("kv.store").warning("low", extra={"left": 5})
            os.write(2, b"[INFO] some text\\n")
            os.write(2, b"other text\\n")
            """
        )

    assert mirrored.getvalue().splitlines() == [
        "WARNING:plugin.kv:low left=5",
        "INFO:plugin.kv:[INFO] some text",
        "DEBUG:plugin.kv:other text",
    ]


@requirement("gp.log.prefix")
@HOSTS
@cleanly
def test_plugins_of_one_interpreter_may_be_given_names_and_another_place(
    new_host: NewHost, mirrored: io.StringIO
) -> None:
    app = logging.getLogger("app")
    with new_host(logger=app, name="kv") as first, new_host(logger=app, name="clock") as second:
        for host in first, second:
            host.start()
            host.run("logging.warning('low')")
            host.kill()

    assert mirrored.getvalue() == "WARNING:app.kv:low\nWARNING:app.clock:low\n"


@HOSTS
@cleanly
def test_errors_call_a_plugin_by_the_same_name(new_host: NewHost) -> None:
    with new_host(command=sh("exit 3"), name="clock") as host, pytest.raises(LaunchError, match=r": clock ended with"):
        host.start()
