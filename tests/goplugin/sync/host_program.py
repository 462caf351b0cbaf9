"""A host to be ended, that blocks: starts the probe, prints its process number, and goes on as its argument says."""
from __future__ import annotations

import os
import sys
import threading

from ..host_program import PRINT_FOR_EVER
from .harness import running_probe


def main(end: str) -> None:
    with running_probe() as (client, probe):
        if end == "printing":
            probe.run(PRINT_FOR_EVER)
        print(client.id, flush=True)
        if end == "raise":
            raise RuntimeError("no such luck")
        if end == "exit":
            sys.exit(3)
        if end == "_exit":
            os._exit(4)
        if end == "thread":
            threading.Thread(target=probe.run, args=("threading.Event().wait()",), daemon=True).start()
            return
        probe.run("threading.Event().wait()")


if __name__ == "__main__":
    main(sys.argv[1])
