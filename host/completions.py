"""Completions for bash, zsh and fish, made from the tables of the command line.

The command is `python -m host`, so what is completed is `python`: words behind `-m host` here, anything else as the
shell does it without us. Nothing is started while somebody types: modules are not completed, plugins would have to run.
"""
from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .arguments import verb_parser
from .help import topics
from .settings import SETTINGS
from .verb_table import VERBS, Row, load

__all__ = ["SHELLS", "completion"]

SHELLS = ("bash", "zsh", "fish")
_FILE_VERBS = ("run", "inspect")  # whose first argument may be a file
_PYTHONS = "python python3"


class _Option(NamedTuple):
    """A flag, and whether it takes a value, and whether that is a directory or a file."""

    name: str
    about: str
    takes: str = ""  # "", "word", "path"


def completion(shell: str) -> str:
    """The script that `eval "$(python -m host completion SHELL)"` wants (of fish, `... | source`)."""
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell]()


def _flags() -> list[_Option]:
    def takes(metavar: str) -> str:
        return "path" if metavar == "DIR" else "word" if metavar else ""

    return [_Option(f"--{each.name}", each.about, takes(each.metavar)) for each in SETTINGS]


def _own(row: Row) -> list[_Option]:
    """The options that only this verb has."""
    common = {option.name for option in _flags()}
    found: list[_Option] = []
    for action in verb_parser(row, load(row))._actions:  # argparse has no other way to be asked
        names = [name for name in action.option_strings if name.startswith("--") and name not in (*common, "--help")]
        takes = "" if action.nargs == 0 else "path" if action.metavar == "FILE" else "word"
        found += [_Option(name, str(action.help or ""), takes) for name in names]
    return found


def _words(row: Row) -> Sequence[str]:
    """What may stand behind the verb, as far as that is known."""
    return {"help": (*topics(), *_names()), "completion": SHELLS, "config": ("show",)}.get(row.name, ())


def _names() -> list[str]:
    return [name for row in VERBS for name in (row.name, *row.aliases)]


def _bash() -> str:
    flags = _flags()
    cases = [
        f"        {'|'.join((row.name, *row.aliases))}) words={_quoted([*_words(row), *_option_names(_own(row))])} ;;"
        for row in VERBS
        if _words(row) or _own(row)
    ]
    with_values = "|".join(each.name for row in VERBS for each in (*flags, *_own(row)) if each.takes == "word")
    with_paths = "|".join({each.name: None for row in VERBS for each in (*flags, *_own(row)) if each.takes == "path"})
    return _BASH.format(
        verbs=" ".join(_names()),
        flags=" ".join(_option_names(flags)),
        values="|".join(dict.fromkeys(with_values.split("|"))),
        paths=with_paths,
        cases="\n".join(cases),
        file_verbs="|".join(_FILE_VERBS),
        pythons=_PYTHONS,
    )


def _zsh() -> str:
    describe = [f"{_colons(row.name)}:{_colons(row.about)}" for row in VERBS]
    cases = [
        f"    {'|'.join((row.name, *row.aliases))}) words_here=({_quoted_each(_words(row))});"
        f" options=({_quoted_each(_spec(option) for option in (*_flags(), *_own(row)))}) ;;"
        for row in VERBS
    ]
    return _ZSH.format(
        verbs=_quoted_each(describe),
        flags=_quoted_each(map(_spec, _flags())),
        cases="\n".join(cases),
        file_verbs="|".join(_FILE_VERBS),
        pythons=_PYTHONS,
    )


def _fish() -> str:
    lines = [_FISH.rstrip()]
    for python in _PYTHONS.split():
        here = f"complete -c {python} -n __goplugin_host_at_verb"
        lines += [f"{here} -f -a {shlex.quote(row.name)} -d {shlex.quote(row.about)}" for row in VERBS]
        lines += [_fish_option(f"complete -c {python} -n __goplugin_host", option) for option in _flags()]
        for row in VERBS:
            at = f"complete -c {python} -n '__goplugin_host_verb {row.name}'"
            lines += [_fish_option(at, option) for option in _own(row)]
            if _words(row):
                lines.append(f"{at} -f -a {shlex.quote(' '.join(_words(row)))}")
    return "\n".join(lines) + "\n"


def _fish_option(begin: str, option: _Option) -> str:
    takes = {"": "", "word": " -x", "path": " -r -F"}[option.takes]
    return f"{begin} -l {option.name[2:]}{takes} -d {shlex.quote(option.about)}"


def _option_names(options: Iterable[_Option]) -> list[str]:
    return [option.name for option in options]


def _spec(option: _Option) -> str:
    """An option as zsh's _arguments wants it."""
    about = option.about.replace("[", "(").replace("]", ")").replace(":", "\\:")
    value = {"": "", "word": ":value:", "path": ":path:_files"}[option.takes]
    return f"*{option.name}[{about}]{value}"


def _colons(text: str) -> str:
    return text.replace(":", "\\:")


def _quoted(words: Iterable[str]) -> str:
    return shlex.quote(" ".join(words))


def _quoted_each(words: Iterable[str]) -> str:
    return " ".join(map(shlex.quote, words))


_BASH = """\
_goplugin_host() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} verb= words= index
    if [[ ${{COMP_WORDS[1]}} != -m || ${{COMP_WORDS[2]}} != host || $COMP_CWORD -lt 3 ]]; then
        COMPREPLY=($(compgen -f -- "$word"))
        return
    fi
    case $before in
        {paths}) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$word")); return ;;
        {values}) return ;;
    esac
    for ((index = 3; index < COMP_CWORD; index++)); do
        case ${{COMP_WORDS[index]}} in
            {paths}|{values}) ((index++)) ;;
            -*) ;;
            *) verb=${{COMP_WORDS[index]}}; break ;;
        esac
    done
    case $verb in
        "") words='{verbs}' ;;
{cases}
    esac
    [[ $word == -* || -n $verb ]] && words+=' {flags}'
    COMPREPLY=($(compgen -W "$words" -- "$word"))
    case $verb in
        {file_verbs})
            [[ $word == -* ]] && return
            compopt -o filenames 2>/dev/null
            COMPREPLY=($(compgen -f -- "$word")) ;;
    esac
}}
complete -F _goplugin_host {pythons}
"""

_ZSH = """\
_goplugin_host() {{
  if [[ $words[2] != -m || $words[3] != host ]]; then
    _python 2>/dev/null || _files
    return
  fi
  local -a verbs words_here options
  verbs=({verbs})
  local verb word
  for word in ${{words[4,CURRENT-1]}}; do
    if [[ -n ${{(M)verbs:#$word:*}} ]]; then verb=$word; break; fi
  done
  case $verb in
    "") options=({flags}) ;;
{cases}
  esac
  words=($words[1] $words[4,-1]); (( CURRENT -= 2 ))
  if [[ -z $verb ]]; then
    _arguments -S $options '*: :->rest'
    [[ $words[CURRENT] != -* ]] && _describe -t verbs verb verbs
    return
  fi
  case $verb in
    {file_verbs}) _arguments -S $options '*:file:_files' ;;
    *) _arguments -S $options "*:argument:($words_here)" ;;
  esac
}}
compdef _goplugin_host {pythons}
"""

_FISH = """\
function __goplugin_host
    set -l words (commandline -opc)
    test (count $words) -ge 3; and test "$words[2] $words[3]" = "-m host"
end
function __goplugin_host_at_verb
    __goplugin_host; and not __goplugin_host_has_verb
end
function __goplugin_host_has_verb
    for word in (commandline -opc)[4..-1]
        string match -q -- '-*' $word; or return 0
    end
    return 1
end
function __goplugin_host_verb
    __goplugin_host; and contains -- $argv[1] (commandline -opc)[4..-1]
end
"""
