"""`python -m benchmarks.stacks STACK...` prints, as JSON, why each of those that cannot be imported cannot."""
from __future__ import annotations

import json
import sys

from . import load

if __name__ == "__main__":
    missing: dict[str, str] = {}
    for name in sys.argv[1:]:
        try:
            load(name)
        except ImportError as error:
            missing[name] = str(error)
    print(json.dumps(missing))
