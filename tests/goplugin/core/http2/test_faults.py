from __future__ import annotations

from h2.errors import ErrorCodes

from goplugin.core.http2 import faults
from goplugin.core.status import Code


def test_the_error_codes_are_those_of_the_rfc() -> None:
    assert {code.name: code.value for code in ErrorCodes} == {
        name: getattr(faults, name) for name in faults.ERROR_NAMES
    }
    assert [getattr(faults, name) for name in faults.ERROR_NAMES] == list(range(len(faults.ERROR_NAMES)))


def test_a_fault_reads_as_its_reason() -> None:
    assert str(faults.ConnectionFault(faults.PROTOCOL_ERROR, "no")) == "no"
    assert str(faults.StreamFault(faults.PROTOCOL_ERROR, "no")) == "no"
    assert str(faults.CallFault(Code.INTERNAL, "no")) == "no"
