from __future__ import annotations

import pytest
from grpclib.const import Status

from goplugin.core.status import Code

GO_NAMES = [
    "OK", "Canceled", "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound", "AlreadyExists", "PermissionDenied",
    "ResourceExhausted", "FailedPrecondition", "Aborted", "OutOfRange", "Unimplemented", "Internal", "Unavailable",
    "DataLoss", "Unauthenticated",
]  # fmt: skip


def test_the_codes_are_those_of_grpc() -> None:
    assert {code.name: code.value for code in Code} == {status.name: status.value for status in Status}


@pytest.mark.parametrize(("number", "name"), list(enumerate(GO_NAMES)))
def test_a_code_has_the_name_that_go_prints(number: int, name: str) -> None:
    assert Code(number).go_name == name


@pytest.mark.parametrize("number", [-1, 17, 2**31])
def test_a_code_that_grpc_does_not_define_is_unknown(number: int) -> None:
    assert Code(number) is Code.UNKNOWN


def test_a_code_is_a_number() -> None:
    with pytest.raises(ValueError, match="'5' is not a valid Code"):
        Code("5")
