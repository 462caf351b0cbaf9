"""The private parts of grpclib that we touch are still there, and what is private to us is not."""
from __future__ import annotations

import ast
import re
from pathlib import Path

import grpclib.client
import grpclib.server

import goplugin.aio
from goplugin.aio import grpclib_parts

from ..harness import asynchronous

PACKAGE = Path(goplugin.aio.__file__).parent


@asynchronous
async def test_the_parts_are_where_they_were() -> None:
    assert grpclib_parts.__doc__ is not None
    documented = set(re.findall(r"\b_{1,2}\w+", grpclib_parts.__doc__))
    channel, server = grpclib.client.Channel(), grpclib.server.Server([])
    places = (channel, server, channel.__dispatch__, grpclib.client)

    assert {name for name in documented if not any(hasattr(place, name) for place in places)} == set()


def names(node: ast.ImportFrom) -> list[str]:
    return [alias.name for alias in node.names]


def test_only_one_module_imports_or_inherits_private_parts() -> None:
    for path in PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("grpclib"):
                assert not any(name.startswith("_") for name in [*str(node.module).split("."), *names(node)]), path
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("client", "server", "grpclib"):
                assert path.name == "grpclib_parts.py" or not node.attr.startswith("_"), path
