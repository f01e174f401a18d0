"""How a long-running program is told to stop."""

import asyncio
import signal


def stop_on_signal() -> asyncio.Event:
    """Return an event that is set by SIGINT, SIGTERM or, unless ``nohup`` had it ignored, SIGHUP.

    From then on a second signal ends the process at once. To be called in the event loop.
    """
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    hang_up = () if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (signal.SIGHUP,)
    signals = (signal.SIGINT, signal.SIGTERM, *hang_up)

    def stop() -> None:
        for number in signals:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        stopped.set()

    for number in signals:
        loop.add_signal_handler(number, stop)
    return stopped
