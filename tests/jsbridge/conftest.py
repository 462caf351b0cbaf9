"""Fixtures for the tests of the JavaScript bridge.

`session` has its interpreter in this process, and for the modules in IN_A_WORKER once more in a worker, because they
are about what lies between a script and Python. JS_WORKER=all has every test run in both.
"""
from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from jsbridge._dukpy import IS_DUKTAPE
from jsbridge.worker_process import WorkerProcess

from .engines import skip_on_duktape
from .scripts import Session

IN_A_WORKER = {"test_engine", "test_main", "test_process", "test_python"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "session" in metafunc.fixturenames:
        places = ["here", "worker"] if may_be_in_a_worker(metafunc) else ["here"]
        metafunc.parametrize("session", places, indirect=True)


def may_be_in_a_worker(metafunc: pytest.Metafunc) -> bool:
    """Whether the test is to run there, too; what cuts scripts off, or fills the heap, is for test_worker.py."""
    if "alarmed" in metafunc.fixturenames or "full_heap" in metafunc.function.__name__:
        return False
    return metafunc.module.__name__.rpartition(".")[2] in IN_A_WORKER or os.environ.get("JS_WORKER") == "all"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if IS_DUKTAPE:
        skip_on_duktape(items)


@pytest.fixture
def session(request: pytest.FixtureRequest) -> Iterator[Session]:
    if request.param == "worker":
        worker: WorkerProcess = request.getfixturevalue("worker")
        session = Session(interpreter=worker.interpreter)
    else:
        session = Session()
    with session.engine:
        yield session


@pytest.fixture(scope="module")
def worker() -> Iterator[WorkerProcess]:
    """A process for the interpreters of many tests; it is for scripts that end by themselves."""
    worker = WorkerProcess()
    yield worker
    worker.kill()
