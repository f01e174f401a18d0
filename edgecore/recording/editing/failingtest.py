"""The pytest file for a recording on which something fails (pure)."""

import json
import re
from pathlib import PurePath

_REPLAY = re.compile(r"(\S*/)?edgecore\s+replay(\s+\{file\})?")

_BY_REPLAY = '''\
"""What was recorded in {name} and our node does otherwise: cut to the smallest part of {source}."""


def test_{word}(edgecore_replay):
    edgecore_replay({literal})
'''

_BY_COMMAND = '''\
"""A command fails on {name}: cut to the smallest part of {source}."""

import shlex
import subprocess
from pathlib import Path

COMMAND = {command}


def test_{word}():
    path = shlex.quote(str(Path(__file__).with_name({literal})))
    done = subprocess.run(COMMAND.replace("{{file}}", path), shell=True, capture_output=True, text=True)
    assert done.returncode != {code}, done.stdout + done.stderr
'''


def name_of(recording: PurePath) -> str:
    """Return the name of the test file for ``recording``."""
    return f"test_{_word(recording)}.py"


def text_of(recording: PurePath, source: str, command: str, code: int) -> str:
    """Return a test that fails as long as ``command`` ends with ``code`` on ``recording``, which lies beside it.

    Where the command is ``edgecore replay`` and nothing else, the test is the plugin's; a person shall see the verdict.
    """
    form = _BY_REPLAY if _REPLAY.fullmatch(command.strip()) else _BY_COMMAND
    if "{file}" not in command:
        command += " {file}"
    return form.format(
        name=_plain(recording.name),
        source=_plain(source),
        literal=json.dumps(recording.name, ensure_ascii=False),
        word=_word(recording),
        command=repr(command),
        code=code,
    )


def _plain(name: str) -> str:
    """Return ``name`` for people, without what would end or change the docstring."""
    return name.replace("\\", "/").replace('"', "'")


def _word(recording: PurePath) -> str:
    return re.sub(r"\W+", "_", recording.name.partition(".jsonl")[0]).strip("_").lower() or "recording"
