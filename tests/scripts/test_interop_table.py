"""The table of the interop matrix."""
from __future__ import annotations

from scripts.interop_table import table

SOURCE = '''
PAIRS = {"go-sync": "Go host, blocking plugin", "sync-go": "blocking host, Go plugin"}
TRANSPORTS = {"plain": (), "tls": ("automtls",)}

def test_unary_call(shared): ...

def helper(): ...

def test_graceful_kill(peers):
    """It ends
    at once."""
'''


def test_every_test_is_a_row_and_every_pair_a_column() -> None:
    text = table(SOURCE)

    assert ": plain, tls.\nThat is 8 cells" in text
    assert "| | Go host, blocking plugin | blocking host, Go plugin |\n|---|---|---|\n" in text
    assert "| unary call | all 2 | all 2 |\n| graceful kill | all 2 | all 2 |\n" in text


def test_what_a_test_says_of_itself_is_a_note() -> None:
    assert table(SOURCE).endswith("\n\n- graceful kill: It ends at once.\n")
