"""`python -m tests.fuzz TARGET [ARGUMENT...]`: one target under atheris; the arguments are libFuzzer's.

    python -m tests.fuzz --list             the names of the targets
    python -m tests.fuzz --seeds DIRECTORY  writes the seeds, a directory for each target
"""
from __future__ import annotations

import sys
from pathlib import Path

import atheris


def main(arguments: list[str]) -> None:
    with atheris.instrument_imports(include=["goplugin", "jsbridge"]):
        from .targets import TARGETS
    match arguments:
        case ["--list"]:
            print(*TARGETS)
        case ["--seeds", directory]:
            for name, target in TARGETS.items():
                place = Path(directory) / name
                place.mkdir(parents=True, exist_ok=True)
                for number, seed in enumerate(target.seeds):
                    (place / f"seed-{number}").write_bytes(seed)
        case [name, *others] if name in TARGETS:
            atheris.Setup([name, *others], TARGETS[name].run)
            atheris.Fuzz()
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
