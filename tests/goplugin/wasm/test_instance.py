"""Calls, and how they end; on both machines where the machine has a part in it."""
from __future__ import annotations

import gc
import signal
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from goplugin.core.errors import LocalProtocolError, RemoteError, RemoteProtocolError
from goplugin.core.status import Code
from goplugin.wasm import Instance, Module, Signature, WasmConfig, errors, fast
from tests.goplugin.wasm.modules import (
    BENCH,
    ECHO,
    HEAP,
    UNCACHED,
    VERSION,
    answering,
    assemble,
    bench,
)
from tests.support import requirement

LIVE = Signature((), ("i32",))
REFUSED = "wasm module waits for its output to be taken, and cannot be called meanwhile"
SECONDS = 0.05      # for a guest that would never return


def live_allocations(instance: Instance) -> int:
    return instance.run("live", LIVE)


@pytest.fixture
def instance() -> Iterator[Instance]:
    with bench() as instance:
        yield instance


# --- Calls ---


@requirement("wa.call")
@pytest.mark.parametrize("request_", [b"", b"x", bytes(range(256)) * 500])
def test_a_method_takes_bytes_and_returns_bytes(machine: str, request_: bytes) -> None:
    with bench() as instance:
        assert instance.call("bench_echo", request_) == request_
        assert live_allocations(instance) == 0


@requirement("wa.call")
def test_an_answer_may_be_empty(instance: Instance) -> None:
    assert instance.call("bench_nothing", b"request") == b""


@requirement("wa.call")
@pytest.mark.parametrize("text", ["no such name", "", "\u20ac"])
def test_an_error_of_the_plugin_is_raised_with_its_text(machine: str, text: str) -> None:
    with bench() as instance:
        with pytest.raises(errors.GuestError) as caught:
            instance.call("bench_fail", text.encode())

        assert str(caught.value) == text
        assert not instance.lost
        assert live_allocations(instance) == 0


def test_an_error_that_is_no_text_is_raised_all_the_same(instance: Instance) -> None:
    with pytest.raises(errors.GuestError) as caught:
        instance.call("bench_fail", b"\xff!")

    assert str(caught.value) == "\ufffd!"


def test_state_stays_from_call_to_call_and_in_one_instance(instance: Instance) -> None:
    with bench() as other:
        assert [instance.call("bench_count", b"") for _ in range(3)] == [b"\1", b"\2", b"\3"]
        assert other.call("bench_count", b"") == b"\1"


@pytest.mark.parametrize(("export", "text"), [("bench_other", "is not exported"), ("malloc", "signature")])
def test_a_method_that_is_not_there_cannot_be_called(instance: Instance, export: str, text: str) -> None:
    with pytest.raises(errors.MissingExportError, match=text):
        instance.call(export, b"")

    assert not instance.lost


@pytest.mark.parametrize("request_", ["text", 7, [1]])
def test_a_request_is_bytes(instance: Instance, request_: Any) -> None:
    with pytest.raises(TypeError):
        instance.call("bench_echo", request_)

    assert instance.call("bench_echo", b"x") == b"x"


# --- What a plugin says about its memory ---


@requirement("wa.sandbox")
@pytest.mark.parametrize(
    ("method", "text"),
    [
        ("bench_far", r"^Memory\.Read\(4294967280, 100\) out of range of memory size 262144$"),
        ("bench_lie", r"^Memory\.Read\(1024, 2147483647\) out of range of memory size 262144$"),
        ("bench_ask_far", r"^Memory\.Read\(4294967280, 100\) out of range of memory size 262144$"),
    ],
)
def test_an_answer_outside_of_memory_is_refused(machine: str, method: str, text: str) -> None:
    with bench() as instance:
        with pytest.raises(RemoteProtocolError, match=text):
            instance.call(method, b"request")

        assert instance.call("bench_echo", b"x") == b"x"


@requirement("wa.sandbox")
@pytest.mark.parametrize("pointer", ["-16", "0x7fffffff", "131070"])
def test_a_malloc_that_lies_writes_nowhere(machine: str, pointer: str) -> None:
    heap = HEAP.replace("(i32.const 65536)", f"(i32.const {pointer})")
    module = Module.load(assemble(heap, VERSION, ECHO), UNCACHED)

    with (
        module.instantiate(BENCH._replace(methods=())) as instance,
        pytest.raises(RemoteProtocolError, match=r"^Memory\.Write\(\d+, 3\) out of range of memory size 131072$"),
    ):
        instance.call("bench_echo", b"abc")


def test_memory_may_have_grown_with_the_call_before(machine: str) -> None:
    grow = """
      (func (export "bench_more") (param i32 i32) (result i64)
        (drop (memory.grow (i32.const 1)))
        (i64.const 0x0002_ffff_00000001))
    """
    module = Module.load(assemble(HEAP, VERSION, grow), UNCACHED)

    with module.instantiate(BENCH._replace(methods=())) as instance:
        assert instance.call("bench_more", b"") == b"\0"
        assert instance.memory_size == 3 << 16


# --- Ends ---


@requirement("wa.trap")
@pytest.mark.parametrize(
    ("method", "text"),
    [
        ("bench_crash", "wasm module: wasm trap: wasm `unreachable` instruction executed"),
        ("bench_recurse", "wasm module: wasm trap: call stack exhausted"),
        ("bench_store", "wasm module: wasm trap: out of bounds memory access"),
    ],
)
def test_a_crash_ends_the_instance(machine: str, method: str, text: str) -> None:
    with bench() as instance:
        with pytest.raises(errors.TrapError) as caught:
            instance.call(method, b"request")

        assert str(caught.value) == text
        assert "wasm backtrace" in str(caught.value.__cause__)
        assert type(caught.value) is errors.TrapError
        assert instance.lost


@requirement("wa.trap")
def test_a_lost_instance_is_never_touched_again(instance: Instance) -> None:
    with pytest.raises(errors.TrapError):
        instance.call("bench_crash", b"request")

    for _ in range(2):
        with pytest.raises(errors.InstanceLostError, match=r"^no more calls: .*unreachable") as caught:
            instance.call("bench_echo", b"x")
        assert isinstance(caught.value.__cause__, errors.TrapError)


@requirement("wa.trap")
def test_a_panic_is_told_with_its_text(machine: str) -> None:
    with bench() as instance:
        with pytest.raises(errors.TrapError) as caught:
            instance.call("bench_panic", b"panic: out of luck\n\ngoroutine 1\n")

        assert caught.value.stderr == instance.stderr_tail == "panic: out of luck\n\ngoroutine 1"
        with pytest.raises(errors.InstanceLostError, match="out of luck"):
            instance.call("bench_echo", b"x")


@requirement("wa.trap")
@pytest.mark.parametrize("code", [0, 3])
def test_a_plugin_may_end_itself(machine: str, code: int) -> None:
    with bench() as instance:
        with pytest.raises(errors.ExitError) as caught:
            instance.call("bench_exit", bytes([code]))

        assert str(caught.value) == f"wasm module: module closed with exit_code({code})"
        assert caught.value.exit_code == code
        assert instance.lost


@requirement("wa.sandbox")
@pytest.mark.parametrize("limits", [{"time_limit": SECONDS}, {"time_limit": 100}])
def test_an_endless_loop_is_stopped_in_time(machine: str, limits: dict[str, float]) -> None:
    with bench(**limits) as instance:
        with pytest.raises(errors.TimeLimitError, match=r"^wasm module: the call took longer than it may$"):
            instance.call("bench_spin", b"request", timeout=None if limits["time_limit"] < 1 else SECONDS)

        assert instance.lost


@requirement("wa.sandbox")
def test_a_guest_that_is_stopped_leaves_the_others_alone(machine: str) -> None:
    answers: list[bytes] = []
    with bench(time_limit=100) as other, bench() as hostile:
        started = threading.Event()

        def call() -> None:
            started.set()
            while len(answers) < 3 or not hostile.lost:
                answers.append(other.call("bench_ask_often", b"x"))

        thread = threading.Thread(target=call)
        thread.start()
        started.wait()
        with pytest.raises(errors.TimeLimitError):
            hostile.call("bench_spin", b"", timeout=SECONDS)
        thread.join()

        assert set(answers) == {b""}
        assert not other.lost


def test_time_that_is_left_does_not_count_for_the_next_call(machine: str) -> None:
    with bench(time_limit=SECONDS) as instance:
        for _ in range(3):
            instance.call("bench_echo", b"x")
            time.sleep(SECONDS / 2)


@requirement("wa.sandbox")
def test_a_memory_bomb_ends_at_the_limit(machine: str) -> None:
    with bench(memory_limit=1 << 20) as instance:
        with pytest.raises(errors.MemoryLimitError):
            instance.call("bench_grow", b"")

        assert instance.memory_size == 1 << 20
        assert instance.lost


@requirement("wa.sandbox")
def test_tables_cannot_grow_without_end(machine: str) -> None:
    with bench(memory_limit=None) as instance:
        assert instance.call("bench_grow_table", b"") == b"\xff\xff\xff\xff"


def test_a_guest_without_memory_for_a_request_is_lost(machine: str) -> None:
    with bench() as instance:
        with pytest.raises(errors.MemoryLimitError, match=r"^wasm module: the plugin has no memory for 300000 bytes$"):
            instance.call("bench_echo", bytes(300_000))

        assert instance.lost


def test_a_guest_that_says_so_has_too_little_memory(instance: Instance) -> None:
    with pytest.raises(errors.MemoryLimitError):
        instance.call("bench_panic", b"fatal error: out of memory")


@requirement("wa.sandbox")
def test_a_call_has_its_fuel_and_no_more(machine: str) -> None:
    with bench(fuel=10_000) as instance:
        for _ in range(100):
            instance.call("bench_echo", b"x")
        with pytest.raises(errors.FuelLimitError, match="all fuel consumed"):
            instance.call("bench_spin", b"")

        assert instance.lost


@requirement("wa.sandbox")
def test_ctrl_c_ends_a_guest_that_never_returns() -> None:
    assert fast.available()
    main = threading.get_ident()
    with bench() as instance:
        timer = threading.Timer(SECONDS, signal.pthread_kill, (main, signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            instance.call("bench_spin", b"")
        timer.join()

        with pytest.raises(errors.InstanceLostError, match=r"was stopped by KeyboardInterrupt$"):
            instance.call("bench_echo", b"x")


@requirement("wa.trap")
@pytest.mark.parametrize("broken", ["malloc", "free"])
def test_a_crash_of_malloc_or_free_ends_the_instance_too(machine: str, broken: str) -> None:
    heap = HEAP.replace("(i32.const 65536)", "unreachable") if broken == "malloc" else HEAP.replace(
        '(func (export "free") (param i32))', '(func (export "free") (param i32) unreachable)'
    )  # fmt: skip
    module = Module.load(assemble(heap, VERSION, ECHO), UNCACHED)

    with module.instantiate(BENCH._replace(methods=())) as instance:
        with pytest.raises(errors.TrapError, match="unreachable"):
            instance.call("bench_echo", b"x")

        assert instance.lost


def test_a_crash_of_malloc_for_the_hosts_answer_ends_the_instance(machine: str) -> None:
    ask = """
      (func (export "bench_ask") (param i32 i32) (result i64) (call $answer (i32.const 0) (i32.const 0)))
    """
    imports = '(import "env" "answer" (func $answer (param i32 i32) (result i64)))'
    heap = HEAP.replace("(i32.const 65536)", "unreachable")
    module = Module.load(assemble(imports, heap, VERSION, ask), UNCACHED)

    with module.instantiate(BENCH._replace(methods=()), hosts=[answering(lambda request: b"answer")]) as instance:
        with pytest.raises(errors.TrapError, match="unreachable") as caught:
            instance.call("bench_ask", b"")

        assert "wasm backtrace" in str(caught.value.__cause__)
        assert instance.lost


def test_a_version_that_crashes_ends_the_instance(machine: str) -> None:
    version = VERSION.replace("(i64.const 2)", "unreachable")

    with pytest.raises(errors.TrapError, match="unreachable"):
        Module.load(assemble(HEAP, version), UNCACHED).instantiate(BENCH)


# --- Functions of the host ---


@requirement("wa.hostfunc", "wa.bidirectional")
@pytest.mark.parametrize("request_", [b"", b"name", bytes(80_000)])
def test_a_plugin_asks_its_host_inside_of_a_call(machine: str, request_: bytes) -> None:
    asked: list[bytes] = []
    with bench(lambda request: asked.append(request) or request[::-1]) as instance:
        assert instance.call("bench_ask", request_) == request_[::-1]
        assert asked == [request_]


@requirement("wa.hostfunc")
def test_an_error_in_the_host_ends_the_call_and_has_its_cause(machine: str) -> None:
    cause = LookupError("no such key")

    def fail(request: bytes) -> bytes:
        raise cause

    with bench(fail) as instance:
        with pytest.raises(errors.HostFunctionError, match=r"^wasm module: env.answer: no such key$") as caught:
            instance.call("bench_ask", b"request")

        assert caught.value.__cause__ is cause
        assert caught.value.function == "env.answer"
        assert not instance.lost
        assert live_allocations(instance) == 0


def test_a_function_that_returns_no_bytes_has_failed(machine: str) -> None:
    with bench(lambda request: "text") as instance:
        with pytest.raises(errors.HostFunctionError) as caught:
            instance.call("bench_ask", b"request")

        assert isinstance(caught.value.__cause__, TypeError)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_is_to_end_the_program_comes_through_as_it_is(machine: str, error: type[BaseException]) -> None:
    def stop(request: bytes) -> bytes:
        raise error

    with bench(stop) as instance:
        with pytest.raises(error):
            instance.call("bench_ask", b"")

        assert instance.lost


@requirement("wa.bidirectional")
def test_a_function_of_the_host_may_call_the_plugin_that_called_it(machine: str) -> None:
    def answer(request: bytes) -> bytes:
        return b"<" + instance.call("bench_ask", request[1:]) + b">" if request else b""

    with bench(answer) as instance:
        assert instance.call("bench_ask", b"aaa") == b"<<<>>>"


def test_a_plugin_that_crashes_inside_of_a_function_of_the_host_does_not_go_on(machine: str) -> None:
    def answer(request: bytes) -> bytes:
        with pytest.raises(errors.TrapError):
            instance.call("bench_crash", b"")
        return b"as if nothing had happened"

    with bench(answer) as instance:
        with pytest.raises(errors.InstanceLostError, match="unreachable"):
            instance.call("bench_ask", b"")

        assert instance.lost


def test_a_call_inside_of_a_call_has_no_more_time_than_that(machine: str) -> None:
    def answer(request: bytes) -> bytes:
        return instance.call("bench_spin", b"", timeout=100)

    with bench(answer) as instance, pytest.raises(errors.TimeLimitError):
        instance.call("bench_ask", b"", timeout=SECONDS)


def test_a_call_inside_of_a_call_may_have_less_time(machine: str) -> None:
    def answer(request: bytes) -> bytes:
        instance.call("bench_echo", b"x", timeout=SECONDS)
        time.sleep(SECONDS * 2)
        return b"in time"

    with bench(answer) as instance:
        assert instance.call("bench_ask", b"", timeout=100) == b"in time"


@requirement("wa.hostfunc")
@pytest.mark.parametrize(("free", "left"), [(True, 0), (False, 100), (None, 100)])
def test_what_the_host_answered_is_freed_when_the_call_has_returned(machine: str, free: bool | None, left: int) -> None:
    with bench(lambda request: b"answer", free_host_responses=free) as instance:
        assert instance.call("bench_ask_often", b"x") == b"answer"

        assert live_allocations(instance) == left


@requirement("wa.old")
@pytest.mark.parametrize("method", ["bench_echo", "bench_fail"])
def test_an_answer_of_sdk_0_8_is_freed_if_the_configuration_says_so(machine: str, method: str) -> None:
    answer_with_malloc = """
      (func (export "bench_alloc") (param i32 i32) (result i64)
        (i64.or (i64.shl (i64.extend_i32_u (call $malloc (i32.const 5))) (i64.const 32)) (i64.const 5)))
    """
    freed = HEAP.replace('(func (export "free") (param i32))', """
      (global $freed (mut i32) (i32.const 0))
      (func (export "free") (param i32) (global.set $freed (i32.add (global.get $freed) (i32.const 1))))
      (func (export "freed") (result i32) (global.get $freed))
    """).replace('(func (export "malloc")', '(func $malloc (export "malloc")')
    module = Module.load(assemble(freed, VERSION, answer_with_malloc), UNCACHED)

    for free, count in ((False, 0), (True, 1)):
        config = WasmConfig(cache_dir="", free_responses=free)
        with module.instantiate(BENCH._replace(methods=()), config=config) as instance:
            assert instance.call("bench_alloc", b"") == bytes(5)
            assert instance.run("freed", LIVE) == count


# --- Threads ---


def test_calls_of_several_threads_come_one_after_the_other(machine: str) -> None:
    wrong: list[bytes] = []
    with bench(lambda request: request, free_host_responses=True) as instance:

        def call(text: bytes) -> None:
            wrong.extend(answer for _ in range(50) if (answer := instance.call("bench_ask", text)) != text)

        threads = [threading.Thread(target=call, args=(bytes([letter]) * 1000,)) for letter in b"abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert wrong == []


def test_waiting_for_other_threads_takes_time_of_the_call(machine: str) -> None:
    inside, done = threading.Event(), threading.Event()

    def answer(request: bytes) -> bytes:
        inside.set()
        done.wait()
        return b""

    with bench(answer) as instance:
        thread = threading.Thread(target=instance.call, args=("bench_ask", b""))
        thread.start()
        inside.wait()
        with pytest.raises(RemoteError, match="other calls took all the time") as caught:
            instance.call("bench_echo", b"x", timeout=SECONDS)
        done.set()
        thread.join()

        assert caught.value.code is Code.DEADLINE_EXCEEDED
        assert instance.call("bench_echo", b"x") == b"x"


def test_output_cannot_call_the_plugin_that_prints_it() -> None:
    seen: list[BaseException] = []

    def write(data: bytes) -> None:
        try:
            instance.call("bench_echo", b"x")
        except LocalProtocolError as error:
            seen.append(error)

    with bench(stdout=write) as instance:
        instance.call("bench_print", b"text")

        assert [str(error) for error in seen] == [REFUSED]
        assert instance.call("bench_echo", b"x") == b"x"


def test_output_may_close_the_plugin_that_prints_it() -> None:
    with bench(stdout=lambda data: instance.close()) as instance:
        with pytest.raises(errors.InstanceLostError):
            instance.call("bench_print_often", b"text")

        assert instance.lost


# --- Close ---


@requirement("wa.load")
def test_a_closed_instance_takes_no_calls_and_may_be_closed_again(machine: str) -> None:
    instance = bench()
    instance.close()
    instance.close()

    with pytest.raises(errors.InstanceLostError, match=r"^no more calls: wasm module is closed$"):
        instance.call("bench_echo", b"x")
    assert instance.memory_size == 4 << 16


def test_a_close_inside_of_a_call_ends_the_call(machine: str) -> None:
    def answer(request: bytes) -> bytes:
        instance.close()
        return b"answer"

    instance = bench(answer)
    with pytest.raises(errors.InstanceLostError, match="wasm module is closed"):
        instance.call("bench_ask", b"")
    assert instance.lost


@pytest.mark.parametrize("method", ["bench_spin", "bench_sleep"])
def test_close_ends_the_call_of_another_thread(method: str) -> None:
    failures: list[errors.InstanceLostError] = []
    inside = threading.Event()

    def call() -> None:
        with pytest.raises(errors.InstanceLostError) as caught:
            instance.call("bench_ask", method.encode())
        failures.append(caught.value)

    def answer(request: bytes) -> bytes:
        inside.set()
        return instance.call(request.decode(), b"")

    instance = bench(answer)
    caller = threading.Thread(target=call)
    caller.start()
    inside.wait()
    instance.close()
    caller.join()

    assert instance.lost
    assert len(failures) == 1


def test_close_waits_for_a_function_of_the_host(machine: str) -> None:
    inside, done = threading.Event(), threading.Event()
    ends: list[str] = []

    def answer(request: bytes) -> bytes:
        inside.set()
        done.wait()
        ends.append("function")
        return request

    def call() -> None:
        with pytest.raises(errors.InstanceLostError, match="wasm module is closed"):
            instance.call("bench_ask", b"x")

    def close() -> None:
        instance.close()
        ends.append("close")

    instance = bench(answer)
    caller, closer = threading.Thread(target=call), threading.Thread(target=close)
    caller.start()
    inside.wait()
    closer.start()
    done.set()
    caller.join()
    closer.join()

    assert ends == ["function", "close"]


def test_an_instance_that_is_forgotten_is_collected() -> None:
    instance = bench(lambda request: request)
    instance.call("bench_ask", b"x")
    forgotten = weakref.ref(instance)

    del instance
    gc.collect()

    assert forgotten() is None


def test_many_answers_of_the_host_leave_memory_as_it_is() -> None:
    answer = bytes(100_000)
    with bench(lambda request: answer, free_host_responses=True) as instance:
        for _ in range(300):
            instance.call("bench_ask", b"x")

        assert instance.memory_size == 4 << 16

