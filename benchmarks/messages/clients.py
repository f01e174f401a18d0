"""The clients of mosquitto, in C, that publish and count."""

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from messages.places import PATIENCE_S, Broker

STEPS_A_SECOND = 100


class Publisher:
    """`mosquitto_pub` with so many messages to publish: as quickly as it can, or ``pace`` a second."""

    def __init__(self, broker: Broker, topic: str, payload: str, *, number: int, qos: int, pace: int = 0) -> None:
        self._command = ["mosquitto_pub", "-p", str(broker.port), "-q", str(qos), "-t", topic, "-l"]
        at_once = pace // STEPS_A_SECOND if pace else number
        line = f"{payload}\n".encode()
        self._chunks = [line * min(at_once, number - begin) for begin in range(0, number, at_once)]
        self._feeding: threading.Thread | None = None

    def start(self) -> None:
        """Let it begin."""
        self._feeding = threading.Thread(target=self._feed)
        self._feeding.start()

    def end(self) -> None:
        """Wait until it has ended."""
        if self._feeding is not None:
            self._feeding.join()

    def _feed(self) -> None:
        due = time.perf_counter()
        with subprocess.Popen(self._command, stdin=subprocess.PIPE) as program:
            assert program.stdin is not None
            for chunk in self._chunks:
                program.stdin.write(chunk)
                program.stdin.flush()
                due += 1 / STEPS_A_SECOND
                if len(self._chunks) > 1:
                    time.sleep(max(0.0, due - time.perf_counter()))


class Counter:
    """`mosquitto_sub`, which ends when it has so many messages."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    def end(self) -> float:
        """Return the instant at which it had them."""
        if self._process.wait(PATIENCE_S):
            raise SystemExit("mosquitto_sub failed")
        return time.perf_counter()


@contextmanager
def counter(broker: Broker, topic: str, number: int, qos: int) -> Iterator[Counter]:
    """Run one that is subscribed already."""
    command = ["mosquitto_sub", "-p", str(broker.port), "-q", str(qos), "-t", topic, "-C", str(number)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        time.sleep(0.3)  # it says nothing of its subscription
        yield Counter(process)
    finally:
        process.kill()
        process.wait()
