"""Versions of plugins, and what a host asks of them.

A version is a semantic one: `1.4.2`, `2.0.0-beta.1+build`. A constraint is a list of comparisons that must all hold,
`>= 1.4, < 2.0`; the operators are those of Terraform's version constraints:

    1.4.2, = 1.4.2      this version
    != 1.4.2            any other
    >, >=, <, <=        by precedence
    ~> 1.4.2            1.4.2 or newer, below 1.5:  the last number given may rise
    ~> 1.4              1.4.0 or newer, below 2.0

A comparison may leave out the patch, or the minor number too: they are 0 then. A pre-release satisfies a constraint
only if one of the comparisons names a pre-release of the same three numbers: nobody gets a beta unasked.
Source: semver.org 2.0.0, sections 2, 9 to 11; HashiCorp's version constraints.
"""
from __future__ import annotations

import re
from typing import NamedTuple

from .errors import ConfigError

__all__ = ["Comparison", "Constraint", "Version", "parse_constraint", "parse_version"]

_IDENTIFIERS = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_NUMBER = r"(?:0|[1-9][0-9]*)"
_TAIL = rf"(?:-(?P<prerelease>{_IDENTIFIERS}))?(?:\+{_IDENTIFIERS})?"
_VERSION = re.compile(rf"(?P<numbers>{_NUMBER}\.{_NUMBER}\.{_NUMBER}){_TAIL}", re.ASCII)
_COMPARISON = re.compile(
    rf"(?P<operator>[!<>]=?|=|~>|)\s*(?P<numbers>{_NUMBER}(?:\.{_NUMBER}){{0,2}}){_TAIL}", re.ASCII
)
_LEADING_ZERO = re.compile(r"0[0-9]+", re.ASCII)

_Identifier = tuple[int, int, str]
_RELEASE: tuple[_Identifier, ...] = ((2, 0, ""),)       # above every pre-release


class Version(NamedTuple):
    """A semantic version; versions compare by precedence, in which build metadata does not count.

    `numbers` is (major, minor, patch).
    """

    numbers: tuple[int, int, int]
    precedence: tuple[_Identifier, ...] = _RELEASE

    @property
    def is_prerelease(self) -> bool:
        return self.precedence is not _RELEASE


class Comparison(NamedTuple):
    """One part of a constraint; `given` of the version's numbers were written."""

    operator: str
    version: Version
    given: int

    def allows(self, version: Version) -> bool:
        operator, bound = self.operator, self.version
        if operator == "~>":
            fixed = max(self.given - 1, 1)
            return version >= bound and version.numbers[:fixed] == bound.numbers[:fixed]
        if operator in (">", ">="):
            return version > bound or (operator == ">=" and version == bound)
        if operator in ("<", "<="):
            return version < bound or (operator == "<=" and version == bound)
        return (version == bound) is (operator != "!=")


class Constraint(NamedTuple):
    """What `parse_constraint` read."""

    comparisons: tuple[Comparison, ...]

    def allows(self, version: Version) -> bool:
        """Whether a plugin of this version will do."""
        if version.is_prerelease and not any(
            comparison.version.is_prerelease and comparison.version.numbers == version.numbers
            for comparison in self.comparisons
        ):
            return False
        return all(comparison.allows(version) for comparison in self.comparisons)


def parse_version(text: str) -> Version:
    """Raises ConfigError for a text that is no semantic version."""
    match = _VERSION.fullmatch(text)
    version = None if match is None else _version(match)
    if version is None:
        raise ConfigError(f'not a semantic version (MAJOR.MINOR.PATCH): "{text}"')
    return version


def parse_constraint(text: str) -> Constraint:
    """Raises ConfigError for a text that is no constraint, and names the part of it that is none."""
    return Constraint(tuple(_comparison(part.strip()) for part in text.split(",")))


def _comparison(part: str) -> Comparison:
    match = _COMPARISON.fullmatch(part)
    operator = "" if match is None else match["operator"]
    version = None if match is None or operator == "!" else _version(match)
    if match is None or version is None:
        raise ConfigError(f'not a version constraint (such as ">= 1.2, < 2.0"): "{part}"')
    return Comparison(operator, version, match["numbers"].count(".") + 1)


def _version(match: re.Match[str]) -> Version | None:
    """None if a number in the pre-release has leading zeros."""
    numbers = [int(number) for number in match["numbers"].split(".")]
    major, minor, patch = numbers + [0] * (3 - len(numbers))
    if match["prerelease"] is None:
        return Version((major, minor, patch))
    identifiers = match["prerelease"].split(".")
    if any(_LEADING_ZERO.fullmatch(identifier) for identifier in identifiers):
        return None
    return Version((major, minor, patch), tuple(map(_precedence, identifiers)))


def _precedence(identifier: str) -> _Identifier:
    """Numbers compare as numbers, and come before names."""
    return (0, int(identifier), "") if identifier.isdecimal() else (1, 0, identifier)
