"""What every test module may use."""
from __future__ import annotations

import pytest

requirement = pytest.mark.requirement
"""Names the rows of tests/requirements.toml that the decorated test proves."""
