"""Runs a program of ours that ends with the process that started it, however that ends.

``python -m cloudhub_stub.testing.leash MODULE [ARGUMENT...]``, with a pipe as standard input: once nobody holds its
other end, this process gets SIGTERM, and SIGALRM, which nothing handles, if it has not ended ``PATIENCE_S`` later.
"""

import os
import runpy
import signal
import sys
import threading

PATIENCE_S = 10


def main() -> None:
    """Run the module that the command line names, in this process, as ``python -m`` does."""
    leash = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    threading.Thread(target=_end_with, args=(leash,), name="leash", daemon=True).start()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def _end_with(leash: int) -> None:
    while os.read(leash, 4096):
        pass
    signal.alarm(PATIENCE_S)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
