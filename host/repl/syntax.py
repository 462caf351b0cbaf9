"""JavaScript in pieces, as far as colours, completion and "is that all?" need it.

Rule 1: every text is cut up without a rest and without an error, also one that is still being typed.
Rule 2: a `/` begins a regular expression where no value stands in front of it. That takes a parser in rare cases
(behind the parenthesis of an `if`); the price of being wrong here is a colour.
"""
from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["KEYWORDS", "Kind", "Token", "is_complete", "significant", "tokens"]


class Kind(enum.Enum):
    """What a token is; the value is the name of its style."""

    SPACE = "space"
    COMMENT = "comment"
    NAME = "name"
    KEYWORD = "keyword"
    CONSTANT = "constant"
    NUMBER = "number"
    STRING = "string"
    TEMPLATE = "template"
    REGEXP = "regexp"
    PUNCTUATION = "punctuation"


class Token(NamedTuple):
    """A piece of the text; `open` if it goes on behind the end of it: a comment, a string or a template."""

    kind: Kind
    text: str
    start: int
    open: bool = False

    @property
    def end(self) -> int:
        return self.start + len(self.text)


KEYWORDS = frozenset({
    "async", "await", "break", "case", "catch", "class", "const", "continue", "debugger", "default", "delete", "do",
    "else", "export", "extends", "finally", "for", "from", "function", "get", "if", "import", "in", "instanceof", "let",
    "new", "of", "return", "set", "static", "super", "switch", "this", "throw", "try", "typeof", "var", "void", "while",
    "with", "yield",
})
_CONSTANTS = frozenset({"true", "false", "null", "undefined", "NaN", "Infinity"})
_SOFT = frozenset({"async", "from", "get", "of", "set", "static"})  # names, unless the next word makes them more

_PATTERNS = (
    (Kind.SPACE, r"\s+"),
    (Kind.COMMENT, r"//[^\n]*|/\*[\s\S]*?(?:\*/|\Z)"),
    (
        Kind.NUMBER,
        r"(?:0[xX][\da-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?)n?",
    ),
    (Kind.NAME, r"[#@]?[A-Za-z_$\u0080-\U0010ffff][\w$\u0080-\U0010ffff]*"),
    (Kind.STRING, r'"(?:[^"\\\n]|\\[\s\S]|\\\Z)*"?|' + r"'(?:[^'\\\n]|\\[\s\S]|\\\Z)*'?"),
    (Kind.REGEXP, r"/(?:[^/\\\[\n]|\\[^\n]|\[(?:[^\]\\\n]|\\[^\n])*\])+/\w*"),
    (
        Kind.PUNCTUATION,
        r">>>=|\.\.\.|===|!==|\*\*=|<<=|>>=|>>>|&&=|\|\|=|\?\?=|=>|==|!=|<=|>=|&&|\|\||\?\?|\?\.(?!\d)|\+\+|--|\+=|-=|"
        r"\*=|/=|%=|&=|\|=|\^=|<<|>>|\*\*|[\s\S]",
    ),
)
_PATTERN = {kind: re.compile(pattern) for kind, pattern in _PATTERNS}
_TEMPLATE_TEXT = re.compile(r"(?:[^`\\$]|\\[\s\S]|\\\Z|\$(?!\{))*")
_OPENING, _CLOSING = "([{", ")]}"
_GOES_ON = frozenset({
    "=", "+", "-", "*", "/", "%", "**", "&&", "||", "??", ",", ".", "?.", "=>", "?", ":", "<", ">", "<=", ">=", "==",
    "===", "!=", "!==", "&", "|", "^", "<<", ">>", ">>>", "+=", "-=", "*=", "/=", "%=", "**=", "<<=", ">>=", ">>>=",
    "&=", "|=", "^=", "&&=", "||=", "??=", "!", "~", "...",
})
_WORDS_THAT_GO_ON = frozenset({
    "await", "case", "const", "delete", "extends", "in", "instanceof", "let", "new", "throw", "typeof", "var", "void",
})


def tokens(text: str) -> list[Token]:
    """`text` as tokens, blanks and comments too; put together again they are the text."""
    return _Lexer(text).read()


def significant(found: Sequence[Token]) -> list[Token]:
    """The tokens that are neither blanks nor comments."""
    return [token for token in found if token.kind not in (Kind.SPACE, Kind.COMMENT)]


def is_complete(text: str) -> bool:
    """Whether Enter should run `text`: no bracket, template or comment is open, and no operator waits for its operand.

    A bracket too many is complete: the engine says what is wrong about it.
    """
    found = tokens(text)
    if found and found[-1].open and found[-1].kind is not Kind.STRING:
        return False
    if found and found[-1].open and found[-1].text.endswith("\\\n"):  # a string that goes on in the next line
        return False
    code = significant(found)
    depth = 0
    for token in code:
        if token.kind is Kind.PUNCTUATION:
            depth += (token.text in _OPENING) - (token.text in _CLOSING)
        elif token.kind is Kind.TEMPLATE:
            depth += token.text.endswith("${") - token.text.startswith("}")
        if depth < 0:
            return True
    if depth or not code:
        return not depth
    last = code[-1]
    member = len(code) > 1 and code[-2].text in (".", "?.")
    if last.kind is Kind.PUNCTUATION:
        return last.text not in _GOES_ON
    return last.kind is not Kind.KEYWORD or last.text not in _WORDS_THAT_GO_ON or member


class _Lexer:
    def __init__(self, text: str) -> None:
        self._text = text
        self._found: list[Token] = []
        self._braces: list[bool] = []  # of each open one: whether it is that of a template's `${`
        self._value_before = False     # whether what came last was a value, behind which a `/` divides

    def read(self) -> list[Token]:
        position = 0
        while position < len(self._text):
            token = self._template(position) or self._next(position)
            self._found.append(token)
            position = token.end
            self._note(token)
        return self._found

    def _template(self, start: int) -> Token | None:
        """The text of a template from its back quote, or from the end of an expression in it."""
        letter = self._text[start]
        resumes = letter == "}" and bool(self._braces) and self._braces[-1]
        if letter != "`" and not resumes:
            return None
        if resumes:
            self._braces.pop()
        match = _TEMPLATE_TEXT.match(self._text, start + 1)
        end = match.end() if match else start + 1
        if self._text.startswith("${", end):
            self._braces.append(True)
            return Token(Kind.TEMPLATE, self._text[start : end + 2], start)
        closed = self._text.startswith("`", end)
        return Token(Kind.TEMPLATE, self._text[start : end + closed], start, open=not closed)

    def _next(self, start: int) -> Token:
        for kind, pattern in _PATTERN.items():
            if kind is Kind.REGEXP and self._value_before:
                continue
            match = pattern.match(self._text, start)
            if match is not None:
                return self._token(kind, match[0], start)
        raise AssertionError("the last pattern takes every character")

    def _token(self, kind: Kind, text: str, start: int) -> Token:
        if kind is Kind.NAME and not self._is_member():
            follows = self._text[start + len(text) :].lstrip(" \t")[:1]
            if text in _CONSTANTS:
                kind = Kind.CONSTANT
            elif text in KEYWORDS and not (text in _SOFT and not (follows.isalpha() or follows in ("_", "$"))):
                kind = Kind.KEYWORD
        if kind is Kind.COMMENT:
            return Token(kind, text, start, open=text.startswith("/*") and (len(text) < 4 or text[-2:] != "*/"))
        if kind is Kind.STRING:
            return Token(kind, text, start, open=_is_open_string(text))
        return Token(kind, text, start)

    def _is_member(self) -> bool:
        """Whether a dot stands in front, behind which every word is a name."""
        before = next((token for token in reversed(self._found) if token.kind is not Kind.SPACE), None)
        return before is not None and before.text in (".", "?.")

    def _note(self, token: Token) -> None:
        if token.kind in (Kind.SPACE, Kind.COMMENT):
            return
        if token.kind is Kind.PUNCTUATION:
            if token.text == "{":
                self._braces.append(False)
            elif token.text == "}" and self._braces:
                self._braces.pop()
            self._value_before = token.text in (")", "]", "}", "++", "--")
        elif token.kind is Kind.TEMPLATE:
            self._value_before = not token.text.endswith("${")
        else:
            self._value_before = token.kind is not Kind.KEYWORD or token.text in ("this", "super")


def _is_open_string(text: str) -> bool:
    """Whether the quote that `text` begins with is not closed."""
    if len(text) < 2 or text[-1] != text[0]:
        return True
    body = text[1:-1]
    return bool((len(body) - len(body.rstrip("\\"))) % 2)
