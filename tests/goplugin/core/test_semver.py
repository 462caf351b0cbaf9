from __future__ import annotations

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goplugin.core.errors import ConfigError
from goplugin.core.semver import parse_constraint, parse_version

# The example of semver.org, section 11, and its neighbours.
IN_ORDER = [
    "0.0.0", "0.9.9", "1.0.0-0", "1.0.0-2", "1.0.0-10", "1.0.0--", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta",
    "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.2.0", "1.10.0", "2.0.0",
]


def test_versions_are_in_the_order_of_their_precedence() -> None:
    for lower, higher in itertools.combinations(IN_ORDER, 2):
        assert parse_version(lower) < parse_version(higher), (lower, higher)


def test_build_metadata_does_not_count() -> None:
    assert parse_version("1.0.0+linux.7") == parse_version("1.0.0")
    assert parse_version("1.0.0-rc.1+x") == parse_version("1.0.0-rc.1")


@pytest.mark.parametrize(
    "text",
    ["", "1", "1.2", "1.2.3.4", "v1.2.3", "01.2.3", "1.2.03", "1.2.3-", "1.2.3-a..b", "1.2.3-01", "1.2.3+", " 1.2.3",
     "1.2.3\n", "1.2.\u0663", "1.2.3-\u00e9"],
)  # fmt: skip
def test_what_is_no_semantic_version_is_named(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_version(text)

    assert str(caught.value) == f'not a semantic version (MAJOR.MINOR.PATCH): "{text}"'


@pytest.mark.parametrize(
    ("constraint", "allowed", "refused"),
    [
        ("1.2.3", ["1.2.3", "1.2.3+build"], ["1.2.4", "1.2.2"]),
        ("= 1.2", ["1.2.0"], ["1.2.1"]),
        ("!= 1.2.3", ["1.2.4", "0.1.0"], ["1.2.3"]),
        ("> 1", ["1.0.1", "2.0.0"], ["1.0.0", "0.9.0"]),
        (">=1.4,<2.0", ["1.4.0", "1.99.0"], ["1.3.9", "2.0.0"]),
        ("<= 2.0.1", ["2.0.1", "0.0.1"], ["2.0.2"]),
        ("~> 1.4.2", ["1.4.2", "1.4.9"], ["1.4.1", "1.5.0", "2.4.2"]),
        ("~> 1.4", ["1.4.0", "1.9.0"], ["1.3.0", "2.0.0"]),
        ("~> 1", ["1.0.0", "1.9.0"], ["0.9.0", "2.0.0"]),
        (">= 1.0.0", ["1.0.0"], ["1.0.0-rc.1", "2.0.0-rc.1"]),
        (">= 1.0.0-rc.1", ["1.0.0-rc.1", "1.0.0-rc.2", "1.0.0", "2.0.0"], ["1.0.0-beta", "2.0.0-rc.1"]),
        (">= 1.0.0-rc.1, != 1.0.0-rc.2", ["1.0.0-rc.3"], ["1.0.0-rc.2"]),
    ],
)
def test_a_constraint_allows_what_all_its_comparisons_allow(
    constraint: str, allowed: list[str], refused: list[str]
) -> None:
    parsed = parse_constraint(constraint)

    assert [version for version in allowed + refused if parsed.allows(parse_version(version))] == allowed


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", ""),
        ("! 1.2", "! 1.2"),
        (">= 1, latest", "latest"),
        ("=> 1.2", "=> 1.2"),
        ("~> 1.2.3.4", "~> 1.2.3.4"),
        (">= 1.0.0-01", ">= 1.0.0-01"),
        ("^1.2", "^1.2"),
    ],
)
def test_the_part_that_is_no_comparison_is_named(text: str, part: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_constraint(text)

    assert str(caught.value) == f'not a version constraint (such as ">= 1.2, < 2.0"): "{part}"'


@given(st.text(), st.text("0123456789.-+ ><=~!,a"))
def test_any_text_is_read_or_refused(text: str, likely: str) -> None:
    for candidate in (text, likely):
        with contextlib.suppress(ConfigError):
            assert parse_version(candidate).numbers >= (0, 0, 0)
        with contextlib.suppress(ConfigError):
            assert len(parse_constraint(candidate).comparisons) == candidate.count(",") + 1
