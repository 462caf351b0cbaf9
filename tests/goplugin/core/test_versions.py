from __future__ import annotations

from collections.abc import Callable, Collection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goplugin.core.errors import ConfigError
from goplugin.core.versions import client_plugin_sets, negotiate, plugin_sets
from tests.support import requirement

Merge = Callable[[int, "PluginSet | None", "dict[int, PluginSet] | None"], "dict[int, PluginSet]"]
PluginSet = dict[str, str]

OLD, NEW, UNVERSIONED = {"kv": "old"}, {"kv": "new"}, {"kv": "unversioned"}
VERSIONS = st.sets(st.integers())


@requirement("gp.version.single")
@pytest.mark.parametrize("merge", [client_plugin_sets, plugin_sets])
def test_plugins_without_versions_are_those_of_the_protocol_version(merge: Merge) -> None:
    assert merge(4, UNVERSIONED, None) == {4: UNVERSIONED}


@pytest.mark.parametrize("merge", [client_plugin_sets, plugin_sets])
def test_versioned_plugins_need_no_protocol_version(merge: Merge) -> None:
    assert merge(0, None, {2: OLD, 3: NEW}) == {2: OLD, 3: NEW}


@pytest.mark.parametrize("merge", [client_plugin_sets, plugin_sets])
def test_both_kinds_of_plugins_go_together(merge: Merge) -> None:
    assert merge(1, UNVERSIONED, {2: OLD}) == {1: UNVERSIONED, 2: OLD}


@pytest.mark.parametrize("merge", [client_plugin_sets, plugin_sets])
def test_an_empty_set_is_a_set(merge: Merge) -> None:
    assert merge(1, {}, None) == {1: {}}


@pytest.mark.parametrize("merge", [client_plugin_sets, plugin_sets])
def test_the_callers_mapping_is_left_alone(merge: Merge) -> None:
    versioned = {2: OLD}

    merge(1, UNVERSIONED, versioned)

    assert versioned == {2: OLD}


def test_in_a_host_the_versioned_set_wins() -> None:
    assert client_plugin_sets(2, UNVERSIONED, {2: OLD}) == {2: OLD}


def test_in_a_plugin_the_unversioned_set_wins() -> None:
    assert plugin_sets(2, UNVERSIONED, {2: OLD}) == {2: UNVERSIONED}


@pytest.mark.parametrize(
    ("own", "offered", "announced"),
    [
        pytest.param({1}, [1], 1, id="the one version"),
        pytest.param({2, 3}, [2, 3], 3, id="the highest in common"),
        pytest.param({2, 3}, [3, 2], 3, id="in any order"),
        pytest.param({2, 3}, [1, 2], 2, id="not the highest of one side"),
        pytest.param({2, 3}, [], 2, id="nothing offered: the oldest"),
        pytest.param({1}, [7, 9], 1, id="nothing in common: the oldest, for the host to refuse"),
        pytest.param({0}, [0], 0, id="0 is a version"),
        pytest.param({-1, 1}, [-1], -1, id="so is a negative number"),
    ],
)
def test_the_plugin_announces(own: Collection[int], offered: Collection[int], announced: int) -> None:
    assert negotiate(own, offered) == announced


@given(VERSIONS.filter(bool), VERSIONS)
def test_negotiation_is_a_walk_from_the_highest_own_version_down(own: set[int], offered: set[int]) -> None:
    for version in sorted(own, reverse=True):
        announced = version
        if version in offered:
            break

    assert negotiate(own, offered) == announced


def test_a_plugin_without_any_version_cannot_be_served() -> None:
    with pytest.raises(ConfigError, match="give plugins or versioned_plugins"):
        negotiate({}, [1])
