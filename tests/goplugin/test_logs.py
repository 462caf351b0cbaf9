"""The standard library's logging over a plugin's stderr, both ends; with a process between them in test_client."""
from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from goplugin.core.hclog import Level
from goplugin.logs import HclogFormatter, StderrLog
from tests.support import requirement


def formatted(record: logging.LogRecord) -> dict[str, object]:
    line = HclogFormatter().format(record)
    assert "\n" not in line
    return json.loads(line)


def record(message: str = "saved %d keys", *, level: int = logging.INFO, **extra: object) -> logging.LogRecord:
    arguments = (3,) * message.count("%d")
    return logging.getLogger().makeRecord(
        "kv.store", level, "store.py", 12, message, arguments, None, "save", extra=extra
    )


# --- plugin side -------------------------------------------------------------------------------------------------


@requirement("gp.log.structured")
def test_a_record_is_a_line_of_hclog_json() -> None:
    entry = formatted(record(key="k1", size=7))

    timestamp = entry.pop("@timestamp")
    assert isinstance(timestamp, str)
    assert timestamp.endswith("Z")
    assert entry == {
        "@level": "info",
        "@message": "saved 3 keys",
        "@module": "kv.store",
        "@caller": "store.py:12",
        "key": "k1",
        "size": 7,
    }


@pytest.mark.parametrize(
    ("level", "name"),
    [(1, "trace"), (5, "trace"), (10, "debug"), (20, "info"), (25, "info"), (30, "warn"), (40, "error"), (50, "error")],
)
def test_a_level_becomes_the_next_lower_one_of_hclogs(level: int, name: str) -> None:
    assert formatted(record(level=level))["@level"] == name


def test_an_exception_is_the_field_traceback() -> None:
    failed = record("failed")
    try:
        int("no such luck")
    except ValueError:
        failed.exc_info = sys.exc_info()

    text = formatted(failed)["traceback"]

    assert isinstance(text, str)
    assert text.startswith("Traceback (most recent call last):\n")
    assert text.endswith("\nValueError: invalid literal for int() with base 10: 'no such luck'")


def test_a_message_may_have_lines_and_a_field_may_be_anything() -> None:
    entry = formatted(record("one\ntwo", path=Path("/x"), nothing=None, nested={"a": [1, {2}]}))

    assert (entry["@message"], entry["path"], entry["nothing"]) == ("one\ntwo", "/x", None)
    assert entry["nested"] == {"a": [1, "{2}"]}


def run(source: str) -> subprocess.CompletedProcess[str]:
    prelude = "import logging, sys\nfrom goplugin.logs import install_log_handler\n"
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", prelude + textwrap.dedent(source)]
    return subprocess.run(command, capture_output=True, text=True, check=True)


@requirement("gp.log.stdlib")
def test_the_installed_handler_sends_every_level_of_every_logger() -> None:
    result = run(
        """
        install_log_handler()
        logging.debug("root")
        logging.getLogger("a.b").error("child", extra={"n": 1})
        logging.captureWarnings(True)
        """
    )

    entries = [json.loads(line) for line in result.stderr.splitlines()]
    assert [(entry["@level"], entry["@module"], entry["@message"], entry.get("n")) for entry in entries] == [
        ("debug", "root", "root", None),
        ("error", "a.b", "child", 1),
    ]
    assert result.stdout == ""


@pytest.mark.parametrize("name", ["asyncio", "grpclib.server", "h2", "hpack.hpack", "hyperframe"])
def test_the_libraries_below_are_heard_from_warning_on(name: str) -> None:
    result = run(
        f"""
        install_log_handler()
        logging.getLogger({name!r}).info("frame")
        logging.getLogger({name!r}).warning("broken")
        """
    )

    assert [json.loads(line)["@message"] for line in result.stderr.splitlines()] == ["broken"]


def test_the_handler_writes_to_descriptor_2_whatever_becomes_of_stderr() -> None:
    result = run(
        """
        import io
        install_log_handler()
        sys.stderr = io.StringIO()
        logging.info("heard")
        """
    )

    assert json.loads(result.stderr)["@message"] == "heard"


# --- host side ---------------------------------------------------------------------------------------------------


@pytest.fixture
def logger(caplog: pytest.LogCaptureFixture) -> logging.Logger:
    caplog.set_level(Level.TRACE, "plugin.kv")
    return logging.getLogger("plugin.kv")


@requirement("gp.log.structured")
def test_an_entry_becomes_a_record_with_its_fields(logger: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    StderrLog(logger, None).receive(b'{"@level":"warn","@message":"low","@module":"kv","n":5,"err":"e1"}\n')

    (record,) = caplog.records
    assert (record.name, record.levelno, record.getMessage()) == ("plugin.kv", logging.WARNING, "low n=5 err=e1")
    assert (vars(record)["@module"], vars(record)["n"], vars(record)["err"]) == ("kv", 5, "e1")


def test_a_field_never_overwrites_a_records_own(logger: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    names = sorted({*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"})
    line = json.dumps({"@level": "info", "@message": "m", **dict.fromkeys(names, "mine")})

    StderrLog(logger, None).receive(line.encode() + b"\n")

    (record,) = caplog.records
    assert (record.name, record.levelname) == ("plugin.kv", "INFO")
    assert record.getMessage() == "m" + "".join(f" {name}=mine" for name in names)


@pytest.mark.parametrize("text", ["100%", "%s %d", "{}"])
def test_a_text_is_no_format(logger: logging.Logger, caplog: pytest.LogCaptureFixture, text: str) -> None:
    StderrLog(logger, None).receive(f"[INFO] {text}\n".encode())

    assert [record.getMessage() for record in caplog.records] == [f"[INFO] {text}"]


@requirement("gp.log.text")
def test_pieces_and_the_end_make_lines(logger: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    log = StderrLog(logger, None)
    for piece in (b"[WA", b"RN] one\n[ERR", b"OR] two\r\nthr", b"ee"):
        log.receive(piece)
    assert len(caplog.records) == 2

    log.receive(b"")

    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "[WARN] one"),
        ("ERROR", "[ERROR] two"),
        ("DEBUG", "three"),
    ]


def test_what_the_logger_does_not_want_is_not_made(logger: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, "plugin.kv")

    StderrLog(logger, None).receive(b"[INFO] one\n[ERROR] two\n")

    assert [record.getMessage() for record in caplog.records] == ["[ERROR] two"]


def test_the_sink_gets_the_bytes_as_they_come(logger: logging.Logger) -> None:
    sink = io.BytesIO()
    log = StderrLog(logger, sink)

    for piece in (b"\xff\0on", b"e\r\n", b"two", b""):
        log.receive(piece)

    assert sink.getvalue() == b"\xff\0one\r\ntwo"


class FullDisk(io.RawIOBase):
    def write(self, data: object) -> int:
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("kind", ["closed", "full"])
def test_a_sink_that_fails_does_not_stop_the_log(
    logger: logging.Logger, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    sink = FullDisk() if kind == "full" else io.BytesIO()
    if kind == "closed":
        sink.close()

    StderrLog(logger, sink).receive(b"[INFO] one\n")  # type: ignore[arg-type]

    assert [record.getMessage() for record in caplog.records] == ["failed to copy all bytes", "[INFO] one"]
