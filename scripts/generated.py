"""What the scripts that write documents have in common: they write them, or with --check say which are out of date."""
from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["ROOT", "write_or_check"]

ROOT = Path(__file__).resolve().parent.parent


def write_or_check(script: str, documents: Mapping[Path, str]) -> int:
    """Follow the command line of `script`, a file of this directory, which makes these `documents`; its exit code."""
    parser = argparse.ArgumentParser(prog=script, description=f"Write {', '.join(map(_name, documents))}.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if something would change")
    check: bool = parser.parse_args().check
    stale = [path for path, text in documents.items() if not path.exists() or path.read_text("utf-8") != text]
    for path in stale:
        if check:
            print(f"error: {_name(path)} is out of date; run scripts/{script}", file=sys.stderr)
        else:
            path.write_text(documents[path], "utf-8")
    return int(check and bool(stale))


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()
