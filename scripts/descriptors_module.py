"""Prints a Python module with the files of a serialized FileDescriptorSet. Used by scripts/descriptors."""
from __future__ import annotations

import sys
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet

HEAD = '''"""Serialized file descriptors by file name, imported ones first. Written by scripts/generate."""
# ruff: noqa: E501
from __future__ import annotations

__all__ = ["FILES"]

FILES: dict[str, bytes] = {'''


def main(path: str) -> None:
    print(HEAD)
    for file in FileDescriptorSet.FromString(Path(path).read_bytes()).file:
        print(f'    "{file.name}": {file.SerializeToString(deterministic=True)!r},')
    print("}")


if __name__ == "__main__":
    main(sys.argv[1])
