"""The program that writes a recording for a node: batches from standard input, what came of each to standard output."""

import os
import pickle
import signal
import sys
from contextlib import suppress
from typing import Any, BinaryIO

from edgecore.errors import RecordingError
from edgecore.recording.recorder.writing import Writing
from edgecore.recording.writer import open_writer

NICENESS = 5
"""Messages come first."""


def main() -> None:
    """Write until there is nothing more to read: the node has ended, or says so."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # a service manager tells all processes to end: the node has yet to
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what else is printed is for the log
    with suppress(OSError):
        os.nice(NICENESS)
    questions = sys.stdin.buffer
    try:
        path, redactor, head = pickle.load(questions)  # noqa: S301 - of the node that started this process
        writing = Writing(open_writer(path, "over"), redactor, head)
    except RecordingError as error:
        _answer(answers, str(error))
        return
    _answer(answers, True)
    _write(writing, questions, answers)


def _write(writing: Writing, questions: BinaryIO, answers: BinaryIO) -> None:
    try:
        while True:
            try:
                question = pickle.load(questions)  # noqa: S301
            except (EOFError, pickle.UnpicklingError):
                break
            if question is None:
                break
            _answer(answers, tuple(writing.take(*question)))
        writing.close()
        _answer(answers, True)
    except RecordingError as error:
        _answer(answers, str(error))


def _answer(answers: BinaryIO, answer: Any) -> None:
    with suppress(OSError):  # the node is gone
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    main()
