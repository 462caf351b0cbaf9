"""Installing the log handler when logging is first imported, in fresh interpreters that have not imported it."""
from __future__ import annotations

import json
import subprocess
import sys
import textwrap

import pytest

from tests.support import requirement

PRELUDE = """
import sys
from goplugin.loghook import send_logs_to_host
"""


def messages(source: str) -> list[object]:
    """What arrives at the host when `source` runs: the messages of the lines on stderr."""
    command = [sys.executable, "-I", "-X", "dev", "-W", "error", "-c", PRELUDE + textwrap.dedent(source)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, ""), result.stderr
    return [json.loads(line)["@message"] for line in result.stderr.splitlines()]


def test_logging_is_not_loaded_for_it() -> None:
    assert messages("send_logs_to_host(); assert 'logging' not in sys.modules") == []


@requirement("gp.log.stdlib")
@pytest.mark.parametrize("statement", ["import logging", "import logging.handlers", "from logging import getLogger"])
def test_whoever_imports_logging_finds_the_handler_there(statement: str) -> None:
    source = f"send_logs_to_host(); {statement}; sys.modules['logging'].getLogger('a').debug('heard')"

    assert messages(source) == ["heard"]


def test_where_logging_is_loaded_already_the_handler_is_installed_at_once() -> None:
    assert messages("import logging; send_logs_to_host(); logging.info('heard')") == ["heard"]


def test_the_first_of_several_threads_installs_it_for_all() -> None:
    source = """
        import threading
        send_logs_to_host()
        threads = [threading.Thread(target=lambda: __import__("logging").info("heard")) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    """

    assert messages(source) == ["heard"] * 4


def test_nothing_of_it_is_left_to_be_seen() -> None:
    source = """
        finders = list(sys.meta_path)
        send_logs_to_host()
        import json
        assert sys.meta_path[1:] == finders
        import logging
        assert sys.meta_path == finders
        assert type(logging.__loader__) is type(json.__loader__)
        assert logging.__spec__.loader is logging.__loader__
    """

    assert messages(source) == []
