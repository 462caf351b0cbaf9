"""A host to be ended: starts the probe, prints its process number, and goes on as its argument says."""
from __future__ import annotations

import asyncio
import os
import sys

from .harness import running_probe

PRINT_FOR_EVER = """
def print_for_ever():
    while True:
        print("x" * 1000)
        print("y" * 1000, file=sys.stderr)
threading.Thread(target=print_for_ever).start()
"""


async def main(end: str) -> None:
    async with running_probe() as (client, probe):
        waiting = asyncio.create_task(probe.run("threading.Event().wait()"))
        if end == "printing":
            await probe.run(PRINT_FOR_EVER)
        else:
            await probe.echo("")
        print(client.id, flush=True)
        if end == "raise":
            raise RuntimeError("no such luck")
        if end == "exit":
            sys.exit(3)
        if end == "_exit":
            os._exit(4)
        await waiting


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
