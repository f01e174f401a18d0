"""The keeper, a process: ``python -m edgecore.modules.edgemesh.intercept.keeper.keeper <socket>``.

It does the steps that the node asks for, and the will once the node is gone: when the socket ends, whatever ended the
node; when it says goodbye; on SIGTERM; and when what it says makes no sense. It is in a session of its own, so that
what a terminal sends to the node's processes does not reach it, and imports little, so that it starts at once.
"""

import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress

from edgecore.errors import ContentError
from edgecore.modules.edgemesh.intercept.keeper.libnftables import find_nftables
from edgecore.modules.edgemesh.intercept.keeper.outcome import WORDS_LIMIT, Outcome, refusal
from edgecore.modules.edgemesh.intercept.keeper.protocol import (
    Ask,
    Bye,
    Done,
    Frames,
    News,
    Ready,
    Said,
    Step,
    TakeOver,
    Told,
    Will,
    frame,
)
from edgecore.modules.edgemesh.intercept.keeper.steps import Steps
from edgecore.modules.edgemesh.intercept.keeper.succession import Seat, take

_READ_BYTES = 65_536


class Signals:
    """SIGTERM, and the alarm that ends the linger, as something to poll for."""

    def __init__(self) -> None:
        self.end_wanted = False
        self.readable, self._written = socket.socketpair()
        self.readable.setblocking(False)
        self._written.setblocking(False)
        signal.set_wakeup_fd(self._written.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGALRM):
            signal.signal(number, self._note)
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)

    def _note(self, _number: int, _frame: object) -> None:
        self.end_wanted = True

    def drain(self) -> None:
        """Forget what woke the poll."""
        with suppress(BlockingIOError):
            while self.readable.recv(64):
                pass

    def alarm(self, seconds: float) -> None:
        """Want the end ``seconds`` from now."""
        signal.setitimer(signal.ITIMER_REAL, seconds)

    @property
    def left_s(self) -> float:
        """How long it is until the alarm."""
        return signal.getitimer(signal.ITIMER_REAL)[0]


class Keeper:
    """Does what it is told over ``node``, and the last will."""

    def __init__(
        self,
        node: socket.socket,
        steps: Steps,
        signals: Signals,
        take_seat: Callable[[str], tuple[Seat | None, Outcome]] = take,
    ) -> None:
        self._node = node
        self._node.setblocking(False)
        self._steps = steps
        self._signals = signals
        self._take_seat = take_seat
        self._seat: Seat | None = None
        self._frames = Frames(Told)
        self._will = Will()
        self._unsent = bytearray()

    def run(self) -> None:
        """Serve until the node is gone, and do the will."""
        self._say(Ready(self._steps.nftables.tool))
        try:
            lingers = self._serve()
        except ContentError as error:
            self._say(Said("error", "intercept_keeper_told_nonsense", {"reason": str(error)}))
            lingers = True
        except Exception as error:  # whatever it is: the will is done
            self._say(Said("error", "intercept_keeper_failed", {"reason": repr(error)[:WORDS_LIMIT]}))
            lingers = True
        self._fulfil(lingers=lingers)
        self._steps.nftables.close()
        if self._seat is not None:
            self._seat.close()

    def _serve(self) -> bool:
        """Do what the node asks. Returns, when it is gone, whether to linger. Raises ``ContentError``."""
        for told in self._told():
            match told:
                case Will():
                    self._will = told
                case Bye(linger):
                    return linger
                case _ if self._is_node_gone() or self._signals.end_wanted:
                    pass
                case Ask(number, steps):
                    outcome = self._do(steps)
                    self._say(Done(number, outcome.output, outcome.error, outcome.reason))
                case TakeOver(number, subnet):
                    outcome = self._take_over(subnet)
                    self._say(Done(number, outcome.output, outcome.error, outcome.reason))
        return True

    def _told(self) -> Iterator[Told]:
        """Yield what the node says, nothing before the answer to the last has gone, until it is gone or to be left."""
        messages = self._frames.messages()
        while True:
            message = next(messages, None) if not self._unsent else None
            if message is not None:
                yield message
            elif self._hear():
                messages = self._frames.messages()
            else:
                return

    def _hear(self) -> bool:
        """Send, or read, what there is. Returns ``False`` at the end: if that is wanted, once all that came is read."""
        goes_on = not self._signals.end_wanted
        events = self._poll(self._node, select.POLLOUT if self._unsent else select.POLLIN, None if goes_on else 0)
        if self._unsent:
            self._send()
            return goes_on or bool(events)
        try:
            data = self._node.recv(_READ_BYTES)
        except BlockingIOError:
            return goes_on
        except OSError:
            return False
        self._frames.feed(data)
        return bool(data)

    def _poll(self, other: socket.socket | None = None, events: int = 0, timeout: int | None = None) -> int:
        """Wait for ``events`` at ``other``, which are returned, for a signal or for another keeper.

        One that comes while the node is alive is answered here; one that comes just after its end waits for the linger.
        """
        poll = select.poll()
        poll.register(self._signals.readable, select.POLLIN)
        if self._seat is not None:
            poll.register(self._seat.listener, select.POLLIN)
        if other is not None:
            poll.register(other, events)
        happened = dict(poll.poll(timeout))
        self._signals.drain()
        knocked = self._seat is not None and self._seat.listener.fileno() in happened
        if knocked and self._seat is not None and other is not None and not self._is_node_gone():
            self._seat.answer(None)
        return happened.get(other.fileno(), 0) if other is not None else 0

    def _is_node_gone(self) -> bool:
        poll = select.poll()
        poll.register(self._node, 0)
        return bool(poll.poll(0))

    def _do(self, steps: tuple[Step, ...]) -> Outcome:
        outcome = Outcome()
        for step in steps:
            outcome = self._steps.do(step)
            if outcome.reason or self._is_node_gone():
                break
        return outcome

    def _take_over(self, subnet: str) -> Outcome:
        if self._seat is not None:
            return Outcome()
        self._seat, outcome = self._take_seat(subnet)
        return outcome

    def _fulfil(self, *, lingers: bool) -> None:
        self._signals.end_wanted = False  # from here on, it is the end of the linger that a signal wants
        self._do_all(self._will.at_once)
        if lingers and self._will.linger_s > 0:
            self._node.close()  # whoever waits for ``at_once`` sees this
            if self._linger():
                return
        self._do_all(self._will.at_last)

    def _linger(self) -> bool:
        """Wait for the end of the linger; say whether another keeper has taken over before."""
        self._signals.alarm(self._will.linger_s)
        while not self._signals.end_wanted:
            self._poll()
            if self._seat is not None and self._seat.answer(self._leave, self._signals.left_s):
                return True
        return False

    def _leave(self) -> None:
        self._do_all(self._will.at_succession)
        self._steps.nftables.close()

    def _do_all(self, steps: tuple[Step, ...]) -> None:
        for step in steps:
            try:
                outcome = self._steps.do(step)
            except Exception as error:  # a mistake in one step is no reason to leave the others undone
                outcome = refusal("a step failed", repr(error))
            if outcome.reason:
                self._say(Said("error", "intercept_will_step_failed", {"reason": outcome.error}))

    def _say(self, news: News) -> None:
        """Have ``news`` sent; what cannot be sent now is sent by ``_told``, or never."""
        self._unsent += frame(news)
        self._send()

    def _send(self) -> None:
        try:
            while self._unsent:
                del self._unsent[: self._node.send(self._unsent)]
        except BlockingIOError:
            pass
        except OSError:  # the node is gone
            self._unsent.clear()


def main(argv: list[str]) -> int:
    """Keep until the node is gone."""
    signals = Signals()
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 2)  # until here, what keeps this from starting is shown where the node shows its own errors
    os.close(nothing)
    os.chdir("/")
    with socket.socket(fileno=int(argv[1])) as node:
        node.set_inheritable(False)
        Keeper(node, Steps(find_nftables()), signals).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
