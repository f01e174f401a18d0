"""How a long-running program is told to stop, or to read its configuration again."""

import asyncio
import os
import signal
from collections.abc import Callable

import structlog

log = structlog.get_logger("process")

TERMINAL = "/dev/tty"


def stop_on_signal(reload: Callable[[], object] | None = None) -> asyncio.Event:
    """Return an event that is set by SIGINT, SIGTERM or, unless ``nohup`` had it ignored, SIGHUP.

    From then on a second SIGINT or SIGTERM ends the process at once, and SIGHUP does nothing: of that several come when
    a terminal goes. With ``reload``, SIGHUP calls that instead, unless it came because the terminal is gone that the
    program was started from. SIGUSR1 and SIGUSR2, which would end it without a word, are logged and do nothing, as in
    Go. To be called in the event loop.
    """
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    is_ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    had_terminal = _has_terminal() and not is_ignored
    hang_up = () if is_ignored and reload is None else (signal.SIGHUP,)
    signals = (signal.SIGINT, signal.SIGTERM, *hang_up)

    def stop() -> None:
        for number in signals:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN if number == signal.SIGHUP else signal.SIG_DFL)
        stopped.set()

    def hung_up() -> None:
        if reload is None or (had_terminal and not _has_terminal()):
            stop()
        else:
            reload()

    for number in signals:
        loop.add_signal_handler(number, hung_up if number == signal.SIGHUP else stop)
    for number in (signal.SIGUSR1, signal.SIGUSR2):  # not SIG_IGN, which children would inherit
        loop.add_signal_handler(number, _left_alone, number.name)
    return stopped


def _left_alone(name: str) -> None:
    log.info("signal_without_meaning", name=name)


def _has_terminal() -> bool:
    """Return whether this process has a controlling terminal, as the kernel takes away from it when that hangs up."""
    try:
        os.close(os.open(TERMINAL, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC | os.O_NONBLOCK))
    except OSError:
        return False
    return True
