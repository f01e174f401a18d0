"""Scripts by which shells complete the commands of a program: texts alone, so that Tab starts no program.

Each script goes through the words before the cursor, as a parser would: a verb leads on to its own verbs, a flag that
takes a value takes the next word. Then it knows what may stand at the cursor: a value, a flag, a verb or a file.
"""

import shlex
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, get_args

from edgecore.control.commands import Command, Option

Shell = Literal["bash", "zsh", "fish"]
SHELLS: tuple[Shell, ...] = get_args(Shell)

_FILES = frozenset({"FILE", "SOCKET", "FILENAME", "PATH"})
_DIRECTORIES = frozenset({"DIR", "DIRECTORY", "FOLDER"})
_FILE, _DIRECTORY = "@file", "@directory"


def completion(shell: Shell, program: Command) -> str:
    """Return the script for a shell."""
    return _WRITERS[shell](program)


def _kind(option: Option) -> str:
    """Return what stands for its value: ``@file``, ``@directory``, the words that it may be, or nothing."""
    if option.choices:
        return " ".join(option.choices)
    named = option.value.strip("[]").split(" ")[0].rstrip("]")
    return _FILE if named in _FILES else _DIRECTORY if named in _DIRECTORIES else ""


def _flags(command: Command) -> list[Option]:
    return [option for option in command.options if option.flags]


def _takes_value(option: Option) -> bool:
    """Say whether the next word is its value; one in brackets comes with an equals sign or not at all."""
    return bool(option.value) and not option.value.startswith("[")


def _bare(command: Command) -> str:
    """Return what its words may be, by the first that says it."""
    words = (option for option in command.options if not option.flags)
    return next((kind for option in words if (kind := _kind(option))), "")


def _valued(program: Command) -> Iterator[tuple[str, list[str]]]:
    """Yield each kind of value, and after which words it comes, such as ``edgecore run --config``."""
    found: dict[str, list[str]] = {}
    for command in program.all():
        for option in filter(_takes_value, _flags(command)):
            found.setdefault(_kind(option) or "@any", []).extend(f"{command.name} {flag}" for flag in option.flags)
    yield from found.items()


def _patterns(texts: Iterable[str]) -> str:
    return "|".join(f'"{text}"' for text in texts)


def _walk(program: Command, words: str) -> Iterator[str]:
    """Yield the loop that bash and zsh have alike: it leaves ``place`` and ``takes``."""
    below = [command.name for command in program.all() if len(command.words) > 1]
    yield f"    local place={shlex.quote(program.name)} takes='' word"
    yield f"    for word in {words}; do"
    yield "        if [[ $word == '=' ]]; then continue; fi"
    yield "        if [[ -n $takes ]]; then takes=''; continue; fi"
    yield '        case "$place $word" in'
    yield f'            {_patterns(below)}) place="$place $word" ;;'
    for kind, places in _valued(program):
        yield f"            {_patterns(places)}) takes={shlex.quote(kind)} ;;"
    yield from ("        esac", "    done")


def _bash(program: Command) -> str:
    name = program.name.replace("-", "_")
    lines = [
        f'# bash completion of {program.name}; to have it: eval "$({program.name} completion bash)"',
        f"_{name}() {{",
        '    local cur=${COMP_WORDS[COMP_CWORD]} verbs="" flags="" bare=""',
        "    if [[ $cur == '=' ]]; then cur=''; fi",
        *_walk(program, '"${COMP_WORDS[@]:1:COMP_CWORD-1}"'),
        '    case "$place" in',
    ]
    for command in program.all():
        verbs = " ".join(below.words[-1] for below in command.commands)
        flags = " ".join(flag for option in _flags(command) for flag in option.flags)
        told = f"verbs={shlex.quote(verbs)} flags={shlex.quote(flags)} bare={shlex.quote(_bare(command))}"
        lines.append(f'        "{command.name}") {told} ;;')
    lines += [
        "    esac",
        "    if [[ -z $takes && $cur == -* ]]; then takes=$flags",
        "    elif [[ -z $takes ]]; then takes=${verbs:-$bare}; fi",
        "    case $takes in",
        f'        {_FILE}) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;',
        f'        {_DIRECTORY}) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;',
        "        @any) COMPREPLY=() ;;",
        '        *) mapfile -t COMPREPLY < <(compgen -W "$takes" -- "$cur") ;;',
        "    esac",
        "}",
        f"complete -F _{name} {program.name}",
    ]
    return "\n".join(lines) + "\n"


def _zsh(program: Command) -> str:
    name = program.name.replace("-", "_")
    lines = [
        f"#compdef {program.name}",
        f'# zsh completion of {program.name}; to have it, behind compinit: eval "$({program.name} completion zsh)"',
        f"_{name}() {{",
        "    local -a verbs flags; local bare=''",
        *_walk(program, '"${(@)words[2,CURRENT-1]}"'),
        '    case "$place" in',
    ]
    for command in program.all():
        verbs = " ".join(shlex.quote(_described(below.words[-1], below.summary)) for below in command.commands)
        flags = " ".join(
            shlex.quote(_described(flag, option.help)) for option in _flags(command) for flag in option.flags
        )
        lines.append(f'        "{command.name}") verbs=({verbs}) flags=({flags}) bare={shlex.quote(_bare(command))} ;;')
    lines += [
        "    esac",
        "    if [[ -z $takes && $PREFIX == -* ]]; then _describe -t flags flag flags; return; fi",
        "    if [[ -z $takes && $#verbs -gt 0 ]]; then _describe -t commands command verbs; return; fi",
        "    case ${takes:=$bare} in",
        f"        {_FILE}) _files ;;",
        f"        {_DIRECTORY}) _files -/ ;;",
        "        @any|'') ;;",
        "        *) compadd -- ${=takes} ;;",
        "    esac",
        "}",
        f'if [[ $funcstack[1] == _{name} || $zsh_eval_context[-1] == loadautofunc ]]; then _{name} "$@"',
        f"else compdef _{name} {program.name}; fi",
    ]
    return "\n".join(lines) + "\n"


def _described(word: str, text: str) -> str:
    plain = word.replace(":", "\\:")
    return f"{plain}:{text}" if text else word


def _fish(program: Command) -> str:
    name = program.name.replace("-", "_")
    places = " ".join(shlex.quote(command.name) for command in program.all() if len(command.words) > 1)
    lines = [
        f"# fish completion of {program.name}; to have it: {program.name} completion fish | source",
        f"set -g __{name}_places {places}",
        f"function __{name}_at",
        f"    set -l place {program.name}",
        "    for word in (commandline -opc)[2..-1]",
        f'        if contains -- "$place $word" $__{name}_places',
        '            set place "$place $word"',
        "        end",
        "    end",
        '    test "$place" = "$argv[1]"',
        "end",
        f"complete -c {program.name} -f",
    ]
    for command in program.all():
        here = f"complete -c {program.name} -n {shlex.quote(f'__{name}_at {shlex.quote(command.name)}')}"
        lines += [f"{here} -a {below.words[-1]}{_fish_text(below.summary)}" for below in command.commands]
        lines += [f"{here}{_fish_flag(option)}" for option in _flags(command)]
        if bare := _bare(command):
            lines.append(f"{here}{_fish_value(bare)}")
    return "\n".join(lines) + "\n"


def _fish_flag(option: Option) -> str:
    named = [f" -l {flag[2:]}" if flag.startswith("--") else f" -s {flag[1:]}" for flag in option.flags]
    kind = _kind(option)
    value = f" -r{_fish_value(kind)}" if kind == _FILE else f" -x{_fish_value(kind)}"
    value = value if _takes_value(option) else ""
    return f"{''.join(named)}{value}{_fish_text(option.help)}"


def _fish_value(kind: str) -> str:
    if kind == _FILE:
        return " -F"
    if kind == _DIRECTORY:
        return " -a '(__fish_complete_directories)'"
    return f" -a {shlex.quote(kind)}" if kind else ""


def _fish_text(text: str) -> str:
    return f" -d {shlex.quote(text)}" if text else ""


_WRITERS: dict[Shell, Callable[[Command], str]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}
