"""Two brokers over a real connection, in both modes: what one side accepts the other dials, whoever is the host."""
from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest
from grpclib.exceptions import GRPCError, StreamTerminatedError

from goplugin.aio.services import BrokerService
from goplugin.core.errors import BrokerTimeout, PluginLostError
from tests.support import requirement

from ..broker_support import BROKERS, NOBODY_ACCEPTS, OF_HOST, OF_PLUGIN, Pair
from .broker_support import CONNECTED, Connected, call, echo, has_asked, named, wait_until
from .support import Note, Probe


@pytest.fixture(params=CONNECTED)
def mode(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def connected(mode: str) -> Connected:
    return CONNECTED[mode]


class Plain(Probe):
    """A service with a plain method, which runs on a thread."""

    def Unary(self, request: Any, context: Any) -> Any:  # type: ignore[override]
        return Note(text=f"{request.text} back")


# --- a connection ----------------------------------------------------------------------------------------------------


@requirement("gp.broker.plain", "gp.broker.mux", "gp.broker.callback")
@pytest.mark.parametrize("service", [Probe(echo), Plain()], ids=["coroutines", "plain"])
@BROKERS
def test_what_one_side_serves_the_other_calls(
    tmp_path: Path, connected: Connected, accepting: str, service: Probe
) -> None:
    async def main() -> None:
        async with connected(tmp_path) as pair:
            accepting_side, dialling_side = pair.sides(accepting)
            async with (
                accepting_side.accept_and_serve(accepting_side.next_id(), [service]) as served,
                await dialling_side.dial(served.service_id) as channel,
            ):
                assert served.service_id == 1
                assert await call(channel, "there") == "there back"

    asyncio.run(main(), debug=True)


@requirement("gp.tls.auto", "gp.broker.plain", "gp.broker.mux")
@BROKERS
def test_with_certificates_both_ends_of_a_brokered_connection_prove_who_they_are(
    tmp_path: Path, connected: Connected, accepting: str
) -> None:
    async def main() -> None:
        async with connected(tmp_path, host_tls=OF_HOST, plugin_tls=OF_PLUGIN) as pair:
            accepting_side, dialling_side = pair.sides(accepting)
            async with accepting_side.accept_and_serve(1, [Probe(echo)]), await dialling_side.dial(1) as channel:
                assert await call(channel, "safe") == "safe back"

    asyncio.run(main(), debug=True)


@requirement("gp.broker.plain", "gp.broker.mux")
@BROKERS
def test_a_dial_may_come_before_the_other_side_accepts(tmp_path: Path, connected: Connected, accepting: str) -> None:
    async def main() -> None:
        async with connected(tmp_path) as pair:
            accepting_side, dialling_side = pair.sides(accepting)
            dialling = asyncio.create_task(dialling_side.dial(7))
            await wait_until(lambda: has_asked(dialling_side, accepting_side, 7))

            async with accepting_side.accept_and_serve(7, [Probe(echo)]), await dialling as channel:
                assert await call(channel, "late") == "late back"

    asyncio.run(main())


@requirement("gp.broker.callback")
def test_a_method_of_the_plugin_calls_the_host_back_while_it_runs(tmp_path: Path, connected: Connected) -> None:
    def services(plugin: Any) -> list[Any]:
        async def call_back(stream: Any) -> None:
            request = await stream.recv_message()
            async with await plugin.dial(int(request.text)) as channel:
                await stream.send_message(Note(text=await call(channel, "from the plugin")))

        return [BrokerService(plugin), Probe(call_back)]

    async def main() -> None:
        async with (
            connected(tmp_path, services) as pair,
            pair.host.accept_and_serve(pair.host.next_id(), [Probe(echo)]) as served,
        ):
            assert await call(pair.channel, str(served.service_id)) == "from the plugin back"

    asyncio.run(main())


@requirement("gp.broker.plain", "gp.broker.mux")
def test_many_dials_at_once_are_told_apart(tmp_path: Path, connected: Connected) -> None:
    async def main() -> None:
        async with connected(tmp_path) as pair, contextlib.AsyncExitStack() as stack:
            dialling = []
            for accepting_side, dialling_side in (pair.sides("host"), pair.sides("plugin")):
                ids = [accepting_side.next_id() for _ in range(10)]
                for service_id in ids:
                    served = accepting_side.accept_and_serve(service_id, [named(str(service_id))])
                    await stack.enter_async_context(served)
                dialling += [(service_id, asyncio.create_task(dialling_side.dial(service_id))) for service_id in ids]
            for service_id, task in reversed(dialling):
                assert await call(await stack.enter_async_context(await task), "?") == str(service_id)

    asyncio.run(main())


# --- what does not come about ----------------------------------------------------------------------------------------


@requirement("gp.broker.plain", "gp.broker.mux")
@BROKERS
def test_a_dial_that_nobody_accepts_times_out(
    tmp_path: Path, connected: Connected, mode: str, accepting: str, impatient: None
) -> None:
    async def main() -> None:
        async with connected(tmp_path) as pair:
            _, dialling_side = pair.sides(accepting)
            with pytest.raises(BrokerTimeout, match=NOBODY_ACCEPTS[mode]):
                await dialling_side.dial(1)

    asyncio.run(main())


@BROKERS
def test_a_cancelled_dial_leaves_what_is_accepted_to_the_next(
    tmp_path: Path, connected: Connected, accepting: str
) -> None:
    async def main() -> None:
        async with connected(tmp_path) as pair:
            accepting_side, dialling_side = pair.sides(accepting)
            dialling = asyncio.create_task(dialling_side.dial(1))
            await wait_until(lambda: has_asked(dialling_side, accepting_side, 1))
            dialling.cancel()
            await asyncio.wait([dialling])

            async with accepting_side.accept_and_serve(1, [Probe(echo)]), await dialling_side.dial(1) as channel:
                assert await call(channel, "next") == "next back"
                # The main connection's, and this dial's; that of the cancelled one was opened and closed.
                await wait_until(lambda: pair.open_streams == [2] * len(pair.sessions))

    asyncio.run(main())


# --- the end ---------------------------------------------------------------------------------------------------------


@requirement("gp.broker.close")
@BROKERS
def test_closing_what_is_served_hangs_up_and_takes_no_more(
    tmp_path: Path, connected: Connected, accepting: str, impatient: None
) -> None:
    async def main() -> None:
        async with connected(tmp_path) as pair:
            accepting_side, dialling_side = pair.sides(accepting)
            served = accepting_side.accept_and_serve(1, [Probe(echo)])
            async with await dialling_side.dial(1) as channel:
                await call(channel, "x")
                assert len(pair.brokered) == (0 if pair.sessions else 1)

                await served.close()
                await served.close()

                assert pair.brokered == []
                with pytest.raises((PluginLostError, OSError, StreamTerminatedError, GRPCError)):
                    await call(channel, "x")
                with pytest.raises(BrokerTimeout):
                    await dialling_side.dial(1)

    asyncio.run(main())


@requirement("gp.broker.close")
@BROKERS
def test_with_the_host_goes_what_both_sides_serve(tmp_path: Path, connected: Connected, accepting: str) -> None:
    async def main() -> None:
        async with connected(tmp_path) as pair:
            accepting_side, dialling_side = pair.sides(accepting)
            accepting_side.accept_and_serve(1, [Probe(echo)])
            async with await dialling_side.dial(1):
                dialling = asyncio.create_task(dialling_side.dial(2))
                await wait_until(lambda: dialling_side._dials)

                await pair.host.close()

                with pytest.raises(PluginLostError, match="broker closed"):
                    await dialling
                await wait_until(lambda: pair.brokered == [] and not accepting_side._served)
                for broker in pair.sides(accepting):
                    with pytest.raises(PluginLostError, match="broker closed"):
                        broker.accept_and_serve(3, [Probe(echo)])

    asyncio.run(main())


@requirement("gp.broker.close")
def test_nothing_is_left_of_many_connections(tmp_path: Path, connected: Connected) -> None:
    async def connect_both_ways(pair: Pair) -> None:
        for side in "host", "plugin":
            accepting_side, dialling_side = pair.sides(side)
            async with (
                accepting_side.accept_and_serve(accepting_side.next_id(), [Probe(echo)]) as served,
                await dialling_side.dial(served.service_id) as channel,
            ):
                await call(channel, "x")

    def resources(pair: Pair) -> set[str]:
        return pair.resources() | {task.get_name() for task in asyncio.all_tasks()}

    async def main() -> None:
        async with connected(tmp_path) as pair:
            await connect_both_ways(pair)
            before = resources(pair)
            for _ in range(20):
                await connect_both_ways(pair)

            await wait_until(lambda: resources(pair) <= before)
            assert resources(pair) <= before

    asyncio.run(main())
