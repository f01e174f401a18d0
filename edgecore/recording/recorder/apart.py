"""Writing in a process of its own: what it costs to make lines of what was seen is taken from no message.

The two speak by a pair of pipes: a pickled batch there, its figures (or why it could not be written) back. Nobody else
holds an end of them. Where the node dies, the child finishes the file with what it has got.
"""

import fcntl
import pickle
import subprocess
from pathlib import Path
from typing import Any

import structlog

from edgecore.errors import RecordingError, reason_of
from edgecore.ownprogram import command_of, environment
from edgecore.recording.entries import SessionHead
from edgecore.recording.recorder.writing import SLOTS, Seen, Written
from edgecore.recording.redaction import Redactor

log = structlog.get_logger("recording")

PROGRAM = "edgecore.recording.recorder.child"
PIPE_BYTES = 1 << 20
"""So much goes at once from one process to the other."""
END_S = 5.0
"""How long the child may take to end when it has closed the file."""


class Apart:
    """Does what ``Writing`` does, by a child. For one thread; its methods raise ``RecordingError``."""

    def __init__(self, path: Path, redactor: Redactor | None, head: SessionHead) -> None:
        self.path = path
        self._unseen = 0
        try:
            self._child = subprocess.Popen(  # noqa: S603 - this very Python, and no shell
                command_of(PROGRAM),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,
                env=environment(),
            )
        except OSError as error:
            raise RecordingError(f"cannot write recording {path}: no process for it: {reason_of(error)}") from error
        assert self._child.stdin is not None  # noqa: S101 - as was asked for
        assert self._child.stdout is not None  # noqa: S101
        self._to, self._from = self._child.stdin, self._child.stdout
        fcntl.fcntl(self._to, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        try:
            self._asked(_packed((path, redactor, head)))
        except RecordingError:
            self._end()
            raise

    def take(self, zero_ns: int, batch: Seen) -> Written:
        """See ``Writing.take``."""
        try:
            question = _packed((zero_ns, batch))
        except Exception:
            entries = [batch[at : at + SLOTS] for at in range(0, len(batch), SLOTS)]
            kept = [slot for one in entries if _travels(one) for slot in one]
            self._unseen += (len(batch) - len(kept)) // SLOTS
            question = _packed((zero_ns, kept))
        told = Written(*self._asked(question))
        return told._replace(lost=told.lost + self._unseen)

    def close(self) -> None:
        """See ``Writing.close``."""
        if self._child.returncode is not None:
            return
        try:
            self._asked(_packed(None))
        finally:
            self._end()

    def _asked(self, question: bytes) -> Any:
        try:
            self._to.write(question)
            self._to.flush()
            answer = pickle.load(self._from)  # noqa: S301 - of our own child, by a pipe that is ours alone
        except (OSError, EOFError, ValueError, pickle.UnpicklingError) as error:
            raise RecordingError(f"cannot write recording {self.path}: the process that writes it has ended") from error
        if isinstance(answer, str):
            raise RecordingError(answer)
        return answer

    def _end(self) -> None:
        for pipe in (self._to, self._from):
            try:
                pipe.close()
            except OSError:
                log.debug("pipe_not_closed", path=str(self.path))
        try:
            self._child.wait(END_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()


def _packed(value: Any) -> bytes:
    return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)


def _travels(one: Seen) -> bool:
    try:
        _packed(one)
    except Exception:
        log.exception("entry_not_recorded", kind=one[2].__name__)
        return False
    return True
