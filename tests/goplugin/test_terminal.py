"""A plugin has its host's terminal: it may ask the person in front of it."""
from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

from tests.support import requirement

ROOT = Path(__file__).parents[2]
HOST = """
import fcntl, termios

fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from tests.goplugin.sync.harness import running_probe

with running_probe() as (client, probe):
    print("the plugin has", probe.run("return f'{os.isatty(0)} {os.ttyname(0)} {input()}'"), flush=True)
    print("the plugin has", probe.run("return f'{os.getpgid(0) == os.getpgid(os.getppid())} {input()}'"), flush=True)
"""


@requirement("gp.tty")
def test_a_plugin_reads_what_is_typed_at_its_hosts_terminal() -> None:
    ours, theirs = pty.openpty()
    try:
        host = subprocess.Popen(
            # A session of its own, whose terminal this is: only its foreground group may read from it.
            [sys.executable, "-c", HOST],
            cwd=ROOT,
            stdin=theirs,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        os.write(ours, b"Ada\nLin\n")
        output, _ = host.communicate(timeout=30)

        assert host.returncode == 0
        assert output.splitlines() == [f"the plugin has True {os.ttyname(theirs)} Ada", "the plugin has True Lin"]
    finally:
        os.close(ours)
        os.close(theirs)
