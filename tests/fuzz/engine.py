"""Fuzzing by coverage, with atheris: ``python -m tests.fuzz.engine SECONDS TARGET ...``, started by ``guided.py``.

Nothing of the programs is imported before atheris can instrument it. Then each target has a process of its own, in
turn, which is forked: instrumenting takes longer than many a run.
"""

import io
import os
import re
import signal
import sys
import time
from contextlib import redirect_stderr, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import atheris

from tests.fuzz import progress
from tests.fuzz.place import FOUND, ROOT, how_to_run_again
from tests.fuzz.target import Target, name_of

INPUT_S = 10
"""An input that takes longer is a finding."""
MEMORY_MB = 2048
"""One that takes more memory is."""
LONGEST_BYTES = 16 * 1024
_LOOK_S = 0.3
_GRACE_S = 30
_WORD = re.compile(rb"[A-Za-z_$][A-Za-z0-9_$-]{2,30}")
_MOST_WORDS = 500
_LONGEST_WORD = 64
_SHOWN_LINES = 25
_ARTIFACT = re.compile(r"Test unit written to (\S+)")
_TRIED = re.compile(r"^#(\d+)", re.MULTILINE)


class Outcome(NamedTuple):
    """What came of one target."""

    tried: int
    file: Path | None
    """The input that was found."""
    said: str
    """What the fuzzer said of it."""


def main(seconds: float, names: list[str]) -> int:
    """Run; return 1 if something was found."""
    progress.show("instrumenting the code (some seconds) ...")
    targets = _instrumented()
    found = tried = 0
    for number, name in enumerate(names, 1):
        outcome = _run(targets[name], seconds / len(names), f"{number} of {len(names)}: {name}")
        tried += outcome.tried
        progress.clear()
        if outcome.file is not None or outcome.said:
            found += 1
            print(f"== {name}, after {outcome.tried} inputs\n{outcome.said}", flush=True)
            if outcome.file is not None:
                print(f"again: {how_to_run_again(name, outcome.file)}", flush=True)
    progress.clear()
    print(f"{len(names)} targets, {tried} inputs, {found} with a finding")
    return 1 if found else 0


def _instrumented() -> dict[str, Target]:
    with redirect_stderr(io.StringIO()), atheris.instrument_imports(include=["edgecore", "cloudhub_stub"]):
        from tests.fuzz.targets import all_targets

        found = all_targets()
    import structlog

    structlog.configure(processors=[_dropped])
    return found


def _dropped(*_: object) -> Any:
    import structlog

    raise structlog.DropEvent


def _run(target: Target, seconds: float, shown: str) -> Outcome:
    kept = ROOT / target.name
    for directory in (kept, FOUND):
        directory.mkdir(parents=True, exist_ok=True)
    log, words = ROOT / f"{target.name}.log", ROOT / f"{target.name}.words"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in (*_pieces(), *_words(target))), "ascii")
    options = [
        f"-max_total_time={max(1, round(seconds))}",
        f"-timeout={INPUT_S}",
        f"-rss_limit_mb={MEMORY_MB}",
        f"-max_len={LONGEST_BYTES}",
        "-len_control=0",
        "-reload=0",
        f"-artifact_prefix={FOUND}/{target.name}-",
        f"-dict={words}",
    ]
    until = time.monotonic() + seconds + _GRACE_S
    process = os.fork()
    if process == 0:
        _become_fuzzer(target, [target.name, *options, str(kept), str(target.directory)], log)
    try:
        code = _wait(process, until, log, shown)
    except KeyboardInterrupt:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        raise
    text = log.read_text("utf-8", "replace")
    artifact = _ARTIFACT.search(text)
    said = "" if code == 0 else _beginning(text) or f"the process ended with {code}; see {log}"
    return Outcome(_tried(text), Path(artifact[1]) if artifact else None, said)


def _pieces() -> list[bytes]:
    from tests.fuzz.variants import PIECES

    return [piece for piece in PIECES if 0 < len(piece) <= _LONGEST_WORD]


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02X}" for byte in word)


def _words(target: Target) -> list[bytes]:
    """Return the words of a corpus."""
    found: dict[bytes, None] = {}
    for path in target.corpus():
        found.update(dict.fromkeys(_WORD.findall(path.read_bytes())))
    return list(found)[:_MOST_WORDS]


def _become_fuzzer(target: Target, arguments: list[str], log: Path) -> None:
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(file, 1)
    os.dup2(file, 2)
    try:
        atheris.Setup(arguments, partial(_keep_if_it_raises, target))
        atheris.Fuzz()
    except SystemExit as end:  # how atheris ends after an exception
        os._exit(1 if end.code else 0)
    finally:
        os._exit(1)


def _keep_if_it_raises(target: Target, data: bytes) -> None:
    try:
        target.run(data)
    except Exception:
        file = FOUND / f"{target.name}-{name_of(data)}"
        file.write_bytes(data)
        print(f"Test unit written to {file}", flush=True)  # as the fuzzer itself says of other findings
        raise


def _wait(process: int, until: float, log: Path, shown: str) -> int:
    while True:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > until:
            os.kill(process, signal.SIGKILL)
        with suppress(OSError):
            progress.show(f"{shown}: {_tried(log.read_text('utf-8', 'replace'))} inputs")
        time.sleep(_LOOK_S)


def _tried(text: str) -> int:
    return max(map(int, _TRIED.findall(text)), default=0)


def _beginning(text: str) -> str:
    """Return what the fuzzer said of a finding: an exception of Python, or a limit."""
    for mark in (" === Uncaught Python exception: ===", "ERROR: libFuzzer"):
        at = text.find(mark)
        if at >= 0:
            return "\n".join(text[at:].splitlines()[:_SHOWN_LINES])
    return ""


if __name__ == "__main__":
    try:
        sys.exit(main(float(sys.argv[1]), sys.argv[2:]))
    except KeyboardInterrupt:
        sys.exit(130)
