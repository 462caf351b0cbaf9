"""The interpreter of whichever dukpy is installed: 0.6 has QuickJS, 0.5 has Duktape."""
from __future__ import annotations

from typing import TYPE_CHECKING

from ._extension import IS_DUKTAPE, JSRuntimeError

if TYPE_CHECKING:
    from ._quickjs import Interpreter
elif IS_DUKTAPE:
    from ._duktape import Interpreter
else:
    from ._quickjs import Interpreter

__all__ = ["IS_DUKTAPE", "Interpreter", "JSRuntimeError"]
