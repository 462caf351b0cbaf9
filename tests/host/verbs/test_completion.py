from __future__ import annotations

import pytest

from host.completions import SHELLS, completion
from tests.host.outcome import RunHost


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_of_a_shell_is_printed(run: RunHost, shell: str) -> None:
    assert run("completion", shell).out == completion(shell)
    assert run("completion", shell, "--json").json == {"shell": shell, "script": completion(shell)}


def test_another_shell_is_a_usage_error(run: RunHost) -> None:
    assert run("completion", "tcsh").code == 2
