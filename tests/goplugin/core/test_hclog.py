from __future__ import annotations

import datetime
import json
import logging
import math
import subprocess
import sys
import traceback
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goplugin.core.handshake import NEED_DATA
from goplugin.core.hclog import (
    LINE_LIMIT,
    Level,
    LogEntry,
    StderrParser,
    format_entry,
    parse_line,
    readable,
    with_tracebacks,
)
from tests.support import requirement

GO_LINE = (
    '{"@caller":"kv/main.go:31","@level":"info","@message":"a \\u003cb\\u003e & c","@module":"kvx",'
    '"@timestamp":"2026-11-21T06:03:33.240971Z","err":"e1","n":5}'
)
GO_TIME = datetime.datetime(2026, 11, 21, 6, 3, 33, 240971, datetime.UTC).timestamp()


def entries(*chunks: bytes, eof: bool = True) -> list[LogEntry]:
    parser = StderrParser()
    for chunk in chunks:
        parser.receive_data(chunk)
    if eof:
        parser.receive_eof()
    found: list[LogEntry] = []
    while (entry := parser.next_event()) is not NEED_DATA:
        found.append(entry)
    return found


def texts(*chunks: bytes) -> list[tuple[str, str]]:
    return [(entry.level.name, entry.message) for entry in entries(*chunks)]


# --- hclog's JSON, read ------------------------------------------------------------------------------------------


@requirement("gp.log.structured")
@pytest.mark.parametrize("line", [GO_LINE, GO_LINE.encode(), f"{GO_LINE}\r\n", f" {GO_LINE}"])
def test_a_line_of_gos_hclog_is_an_entry(line: str | bytes) -> None:
    assert parse_line(line) == LogEntry(
        Level.INFO,
        "a <b> & c",
        {"@caller": "kv/main.go:31", "@module": "kvx", "err": "e1", "n": 5},
        GO_TIME,
    )


def test_the_fields_keep_the_order_of_the_line() -> None:
    assert list(parse_line('{"z":1,"@level":"warn","a":2,"@module":"m","b":3}').fields) == ["z", "a", "@module", "b"]


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("trace", Level.TRACE),
        ("DEBUG", Level.DEBUG),
        (" Info\t", Level.INFO),
        ("warn", Level.WARN),
        ("error", Level.ERROR),
    ],
)
def test_a_level_is_read_in_any_case_and_trimmed(text: str, level: Level) -> None:
    assert parse_line(json.dumps({"@level": text, "@message": "m"})) == LogEntry(level, "m", {})


@pytest.mark.parametrize(
    "line",
    ["{}", '{"a":1}', '{"@message":"m"}', '{"@level":"off","@message":"m"}', '{"@level":"fatal"}', '{"@level":""}'],
)
def test_json_without_a_level_of_hclogs_stays_as_it_is(line: str) -> None:
    assert parse_line(line) == LogEntry(Level.DEBUG, line, {})


def test_an_entry_needs_no_message() -> None:
    assert parse_line('{"@level":"error","n":1}') == LogEntry(Level.ERROR, "", {"n": 1})


@requirement("gp.log.structured")
@pytest.mark.parametrize(
    "line",
    [
        '{"@level":"error","@message":42}',
        '{"@level":5,"@message":"m"}',
        '{"@level":["error"]}',
        '{"@level":"error","@timestamp":1}',
        '{"@level":"error","@message":',
        '{"@level":"error","n":NaN}',
        '{"@level":"error","n":-Infinity}',
        '{"@level":"error","n":' + "9" * 5000 + "}",
        '{"@level":"error","n":' + "[" * 60_000,
        "{" * 60_000,
        "null",
        '["@level"]',
    ],
)
def test_what_is_not_hclogs_json_is_text(line: str) -> None:
    assert parse_line(line) == LogEntry(Level.DEBUG, line, {})


@pytest.mark.parametrize(
    ("timestamp", "seconds"),
    [
        ("2026-11-21T06:03:33.240971Z", GO_TIME),
        ("2026-11-21T06:03:33,240971Z", GO_TIME),
        ("2026-11-21T07:33:33.240971+01:30", GO_TIME),
        ("2026-11-21T05:03:33.240971-01:00", GO_TIME),
        ("1970-01-01T00:00:00.000001Z", 1e-6),
        ("0001-01-01T00:00:00.000000+23:59", -62135683140.0),
    ],
)
def test_a_timestamp_is_seconds_since_1970(timestamp: str, seconds: float) -> None:
    assert parse_line(json.dumps({"@level": "info", "@timestamp": timestamp})).timestamp == seconds


@pytest.mark.parametrize(
    "timestamp",
    [
        "", "2026-11-21T06:03:33Z", "2026-11-21T06:03:33.240Z", "2026-11-21T06:03:33.240971123Z",
        "2026-11-21T06:03:33.240971", "2026-11-21T06:03:33.240971+0100", "2026-11-21 06:03:33.240971Z",
        "2026-02-30T06:03:33.240971Z", "2026-11-21T24:03:33.240971Z", "2026-11-21T06:03:60.240971Z",
        "2026-11-21T06:03:33.240971+25:00", "\u0662026-11-21T06:03:33.240971Z",
    ],
)  # fmt: skip
def test_a_timestamp_that_go_cannot_read_makes_the_line_text(timestamp: str) -> None:
    line = json.dumps({"@level": "info", "@message": "m", "@timestamp": timestamp})

    assert parse_line(line) == LogEntry(Level.DEBUG, line, {})


def test_half_a_surrogate_pair_is_replaced_and_a_whole_one_is_not() -> None:
    entry = parse_line(r'{"@level":"info","@message":"\ud83d\ude00 \uDC00","deep":[{"\ud800":"\udfff"}],"d":"\u00e9"}')

    assert entry == LogEntry(Level.INFO, "\U0001f600 \ufffd", {"deep": [{"\ufffd": "\ufffd"}], "d": "é"})


def test_bytes_that_are_no_utf8_are_replaced() -> None:
    assert parse_line(b"caf\xe9").message == "caf\ufffd"
    assert parse_line(b'{"@level":"info","@message":"caf\xe9"}') == LogEntry(Level.INFO, "caf\ufffd", {})


# --- text --------------------------------------------------------------------------------------------------------


@requirement("gp.log.text")
@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("[TRACE] x", Level.TRACE),
        ("[DEBUG] x", Level.DEBUG),
        ("[INFO] x", Level.INFO),
        ("[WARN]x", Level.WARN),
        ("[ERROR]", Level.ERROR),
        ("[ERR] x", Level.DEBUG),
        ("[error] x", Level.DEBUG),
        (" [ERROR] x", Level.DEBUG),
        ("x [ERROR]", Level.DEBUG),
        ("", Level.DEBUG),
    ],
)
def test_a_tag_at_the_start_is_the_level_and_stays_in_the_text(line: str, level: Level) -> None:
    assert parse_line(line) == LogEntry(level, line, {})


@requirement("gp.log.text")
@pytest.mark.parametrize("first", ["panic: runtime error", "fatal error: all goroutines are asleep"])
def test_after_a_panic_untagged_text_is_an_error_for_good(first: str) -> None:
    assert texts(b"before\n", first.encode(), b'\n\ngoroutine 1 [running]:\n[INFO] x\n{"a":1}\nlast\n') == [
        ("DEBUG", "before"),
        ("ERROR", first),
        ("ERROR", ""),
        ("ERROR", "goroutine 1 [running]:"),
        ("INFO", "[INFO] x"),
        ("DEBUG", '{"a":1}'),
        ("ERROR", "last"),
    ]


def test_a_panic_must_be_at_the_start_of_its_line() -> None:
    assert texts(b"no panic: x\npanic\nnext\n") == [("DEBUG", "no panic: x"), ("DEBUG", "panic"), ("DEBUG", "next")]


# --- lines -------------------------------------------------------------------------------------------------------


def test_lines_end_in_lf_or_crlf_and_the_last_one_anyhow() -> None:
    assert [message for _, message in texts(b"a\nb\r\n\n\rc\r\r\nd")] == ["a", "b", "", "\rc\r", "d"]


def test_half_a_line_waits_for_the_rest() -> None:
    assert entries(b"half a li", eof=False) == []


def test_an_ended_parser_may_be_told_so_again() -> None:
    parser = StderrParser()
    parser.receive_data(b"x")
    parser.receive_eof()
    parser.receive_eof()

    assert parser.next_event() == LogEntry(Level.DEBUG, "x", {})
    assert parser.next_event() is NEED_DATA


@requirement("gp.log.text")
@pytest.mark.parametrize(
    ("line", "sizes"),
    [
        (b"x" * (LINE_LIMIT - 1), [LINE_LIMIT - 1]),
        (b"x" * LINE_LIMIT, [LINE_LIMIT, 0]),
        (b"x" * (LINE_LIMIT + 1), [LINE_LIMIT, 1]),
        (b"x" * (2 * LINE_LIMIT + 5), [LINE_LIMIT, LINE_LIMIT, 5]),
        (b"x" * (LINE_LIMIT - 1) + b"\r", [LINE_LIMIT - 1, 0]),
        (b"x" * (LINE_LIMIT - 1) + b"\rx", [LINE_LIMIT - 1, 2]),
    ],
)
def test_a_long_line_comes_in_pieces(line: bytes, sizes: list[int]) -> None:
    pieces = entries(line + b"\nnext\n")

    assert [len(piece.message) for piece in pieces] == [*sizes, 4]
    assert "".join(piece.message for piece in pieces) == line.decode().removesuffix("\r") + "next"


@requirement("gp.log.text")
def test_a_piece_is_debug_and_unread() -> None:
    line = b'[ERROR] {"@level":"error"}'.ljust(LINE_LIMIT) + b"[ERROR] rest\n"

    assert [entry.level for entry in entries(b"panic: \n" + line)] == [Level.ERROR, Level.DEBUG, Level.DEBUG]


def test_a_long_line_may_be_the_last() -> None:
    assert [len(entry.message) for entry in entries(b"x" * LINE_LIMIT)] == [LINE_LIMIT]


# --- Python's tracebacks -----------------------------------------------------------------------------------------


def printed(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def raised(error: Exception) -> Exception:
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value


@requirement("gp.log.text")
def test_a_traceback_is_one_error() -> None:
    text = printed(raised(ValueError("no such key")))

    assert texts(f"before\n{text}after\n".encode()) == [("DEBUG", "before"), ("ERROR", text[:-1]), ("DEBUG", "after")]


def test_a_traceback_is_complete_at_the_exceptions_own_line() -> None:
    text = printed(raised(ValueError("no such key")))

    assert entries(text.encode(), eof=False) == [LogEntry(Level.ERROR, text[:-1], {})]


def test_a_traceback_of_the_interpreter_itself_is_one_error() -> None:
    plugin = subprocess.run([sys.executable, "-c", "def f(): f()\nf()"], stderr=subprocess.PIPE, check=False)

    (entry,) = entries(plugin.stderr)

    assert entry.level is Level.ERROR
    assert entry.message.startswith("Traceback (most recent call last):\n")
    assert "[Previous line repeated" in entry.message
    assert entry.message.endswith("RecursionError: maximum recursion depth exceeded")


@pytest.mark.parametrize("end", [b"KeyError: 'x'\n", b"KeyboardInterrupt\n"])
def test_a_plugin_that_dies_while_it_prints_a_traceback_leaves_what_there_is(end: bytes) -> None:
    begin = b'Traceback (most recent call last):\n  File "p.py", line 1, in <module>\n'

    assert [(entry.level, entry.message.count("\n")) for entry in entries(begin)] == [(Level.ERROR, 1)]
    assert [(entry.level, entry.message.count("\n")) for entry in entries(begin + end)] == [(Level.ERROR, 2)]


@pytest.mark.parametrize("link", ["cause", "context"])
def test_each_further_part_of_a_chain_is_an_entry_with_the_sentence_that_links_it(link: str) -> None:
    first, second = raised(KeyError("a")), raised(ValueError("b"))
    setattr(second, f"__{link}__", first)
    text = printed(second)
    head, blank, tail = text.rstrip("\n").partition("\n\n")

    assert texts(text.encode()) == [("ERROR", head), ("DEBUG", ""), ("ERROR", tail)]
    assert blank
    assert tail.startswith(("The above exception", "During handling"))
    assert tail.endswith("ValueError: b")


def test_a_group_of_exceptions_is_one_error() -> None:
    text = printed(raised(ExceptionGroup("both", [raised(ValueError("a")), TypeError("b")])))

    assert texts(f"{text}after\n".encode()) == [("ERROR", text[:-1]), ("DEBUG", "after")]


def test_whatever_has_a_level_of_its_own_may_come_between() -> None:
    begin, end = b'Traceback (most recent call last):\n  File "p.py"\n', b"KeyError\n"

    assert texts(begin, b'[WARN] x\n{"@level":"info","@message":"m"}\n', end) == [
        ("WARN", "[WARN] x"),
        ("INFO", "m"),
        ("ERROR", 'Traceback (most recent call last):\n  File "p.py"\nKeyError'),
    ]


def test_a_traceback_is_cut_before_it_takes_too_much_memory() -> None:
    lines = b"Traceback (most recent call last):\n" + b"\n" * (2 * LINE_LIMIT)

    found = entries(lines)

    assert [entry.level for entry in found[:2]] == [Level.ERROR, Level.DEBUG]
    assert len(found[0].message) == LINE_LIMIT - 1


# --- written -----------------------------------------------------------------------------------------------------


@requirement("gp.log.structured")
def test_a_plugin_writes_the_line_that_gos_hclog_writes() -> None:
    entry = parse_line(GO_LINE)

    assert json.loads(format_entry(entry)) == json.loads(GO_LINE)
    assert format_entry(entry).replace("<", r"\u003c").replace(">", r"\u003e") == GO_LINE


@pytest.mark.parametrize(
    ("fields", "written"),
    [
        ({"path": "é\n\udcff"}, {"path": "é\n\udcff"}),
        ({"when": datetime.date(2026, 11, 21), "n": 1}, {"when": "2026-11-21", "n": 1}),
        ({1: "one"}, {"1": "one"}),
        ({"loss": math.nan, "n": 1, "ok": True}, {"loss": "nan", "n": 1, "ok": True}),
        ({"by": {(1, 2): 3}}, {"by": "{(1, 2): 3}"}),
        ({"@level": 1, "@message": 2, "@timestamp": 3}, {}),
    ],
)
def test_any_fields_can_be_written_in_one_line_of_ascii(fields: dict[Any, Any], written: dict[str, Any]) -> None:
    line = format_entry(LogEntry(Level.INFO, "m", fields))

    assert json.loads(line) == {"@level": "info", "@message": "m", **written}
    assert line.isascii()
    assert line.isprintable()


def test_a_cycle_is_written_as_python_prints_it() -> None:
    cycle: list[object] = [1]
    cycle.append(cycle)

    assert json.loads(format_entry(LogEntry(Level.INFO, "m", {"c": cycle})))["c"] == "[1, [...]]"


@pytest.mark.parametrize(
    ("timestamp", "text"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (GO_TIME, "2026-11-21T06:03:33.240971Z"),
        (0.9999999, "1970-01-01T00:00:01.000000Z"),
        (-0.5, "1969-12-31T23:59:59.500000Z"),
    ],
)
def test_a_timestamp_has_always_six_digits_of_a_second(timestamp: float, text: str) -> None:
    assert json.loads(format_entry(LogEntry(Level.INFO, "m", {}, timestamp)))["@timestamp"] == text


@pytest.mark.parametrize(
    ("number", "level"),
    [
        (logging.CRITICAL, Level.ERROR), (logging.ERROR, Level.ERROR), (logging.WARNING, Level.WARN), (25, Level.INFO),
        (logging.INFO, Level.INFO), (logging.DEBUG, Level.DEBUG), (5, Level.TRACE), (logging.NOTSET, Level.TRACE),
    ],
)  # fmt: skip
def test_a_number_of_the_standard_librarys_has_the_level_below_it(number: int, level: Level) -> None:
    assert Level.of_number(number) is level


# --- for any input -----------------------------------------------------------------------------------------------

SAMPLES = [
    b"\n", b"\r\n", b"{", b"[INFO] x\n", b"panic: x\n", b"x" * (LINE_LIMIT - 1), b"\xff\xfe",
    b"Traceback (most recent call last):\n", b"  File\n", b"KeyError\n", b"  | x\n", b"    +-----------------\n",
    b"  + Exception Group Traceback (most recent call last):\n",
    b"The above exception was the direct cause of the following exception:\n", GO_LINE.encode() + b"\n",
    b'{"@level":"info","@timestamp":"',
]  # fmt: skip
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | st.text("aé\n\"\\\0"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab@", max_size=3), inner, max_size=3),
    max_leaves=8,
)


@requirement("gp.log.text")
@given(st.lists(st.binary(max_size=20) | st.sampled_from(SAMPLES), max_size=12), st.data())
def test_the_entries_do_not_depend_on_the_chunks(pieces: list[bytes], data: st.DataObject) -> None:
    stderr = b"".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stderr)), max_size=5)))

    chunks = [stderr[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(stderr)], strict=True)]

    assert entries(*chunks) == entries(stderr)


@given(st.lists(st.binary(max_size=20) | st.sampled_from(SAMPLES), max_size=30))
def test_nothing_makes_a_parser_keep_more_than_a_line_and_a_traceback(pieces: list[bytes]) -> None:
    parser = StderrParser()
    for piece in pieces:
        parser.receive_data(piece)
        while parser.next_event() is not NEED_DATA:
            pass

        assert len(parser._line) < LINE_LIMIT
        assert sum(len(line) + 1 for line in parser._traceback) < LINE_LIMIT


@given(st.binary(max_size=60))
def test_any_line_is_an_entry_that_can_be_printed(line: bytes) -> None:
    assert isinstance(parse_line(line).message.encode(), bytes)


@requirement("gp.log.structured")
@given(st.sampled_from(Level), st.dictionaries(st.text("ab\n\"é"), JSON), st.none() | st.integers(0, 2**51))
def test_an_entry_comes_back(level: Level, fields: dict[str, object], microseconds: int | None) -> None:
    entry = LogEntry(level, "é\n", fields, None if microseconds is None else microseconds / 1_000_000)

    assert parse_line(format_entry(entry)) == entry


# --- for people --------------------------------------------------------------------------------------------------


def test_an_entry_with_a_traceback_is_shown_as_that() -> None:
    crash = format_entry(LogEntry(Level.ERROR, "ValueError: no", {"traceback": "Traceback ...\nValueError: no\n"}))
    other = format_entry(LogEntry(Level.ERROR, "no", {}))

    shown = with_tracebacks(f"before\n{crash}\n{other}\n{{\n")

    assert shown == f"before\nTraceback ...\nValueError: no\n{other}\n{{\n"


def test_an_entry_is_shown_as_a_person_would_write_it_and_the_rest_stays() -> None:
    entry = format_entry(LogEntry(Level.WARN, "low on disk", {"@module": "kv", "free": 7, "unit": "MiB"}))

    shown = readable(f'before\n{entry}\n{{"somebody": "else"}}\n{{\n')

    assert shown == 'before\n[WARN] low on disk free=7 unit=MiB\n{"somebody": "else"}\n{\n'
