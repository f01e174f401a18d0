"""The embedded broker as a child of the node: started, listened to, started again when it ends, ended with the node.

The child's input is a pipe that nobody writes to: however the node ends, the pipe does, and the broker with it.
"""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from edgecore.clock import Clock, before
from edgecore.modules.eventbus.broker.news import LINE_LIMIT_BYTES, Counted, Failed, Library, Listening, heard
from edgecore.modules.eventbus.broker.recipe import BrokerRecipe

RESTART_S, RESTART_MAX_S = 1.0, 30.0
"""The first restart comes after the one; each next one after twice that, up to the other."""
STEADY_S = 60.0
"""One that has listened for so long is started again as if for the first time."""
SILENT_S = 20.0
"""One that says nothing for so long is killed: it speaks every 2 s, and begins within a second if nothing else runs."""
STOP_S = 2.0

log = structlog.get_logger("eventbus.broker")


class EmbeddedBroker:
    """One broker process at a time, while ``run`` runs."""

    def __init__(self, recipe: BrokerRecipe, clock: Clock) -> None:
        self.restarts = 0
        self.reason = "it is starting"
        """Why it does not listen."""
        self._recipe = recipe
        self._clock = clock
        self._counted = Counted()
        self._process: asyncio.subprocess.Process | None = None
        self.ready = asyncio.Event()
        """Set while it takes connections."""
        self._last_words = ""

    @property
    def is_listening(self) -> bool:
        """Whether it takes connections."""
        return self.ready.is_set()

    @property
    def figures(self) -> Counted:
        """What the process that runs has counted."""
        return self._counted

    async def run(self) -> None:
        """Have a broker process until cancelled. What goes wrong is tried again, and told by ``reason``."""
        if self._recipe.is_open_to_others:
            log.warning("broker_open_to_others", address=self._recipe.address, then="anybody there may use it")
        wait_s = RESTART_S
        while True:
            began = self._clock.monotonic()
            try:
                await self._live()
            except OSError as error:
                self.reason = f"cannot run {self._recipe.python}: {error.strerror or error}"
                log.error("broker_not_started", reason=self.reason)
            if self._clock.monotonic() - began >= STEADY_S:
                wait_s = RESTART_S
            await self._clock.sleep(wait_s)
            wait_s = min(2 * wait_s, RESTART_MAX_S)
            self.restarts += 1

    def status(self) -> dict[str, Any]:
        """Return what there is to know of it, as JSON values."""
        return {
            "address": self._recipe.address,
            "listening": self.is_listening,
            "reasons": [f"the embedded MQTT broker does not listen: {self.reason}"] if self.reason else [],
            "pid": self._process.pid if self._process is not None else None,
            "restarts": self.restarts,
            "clients": self._counted.clients,
            "dropped": self._counted.dropped,
        }

    def families(self) -> Iterator[Metric]:
        """Yield its figures for Prometheus; what is counted begins anew with each process."""
        yield GaugeMetricFamily("edgecore_mqtt_broker_listening", "Whether it listens.", float(self.is_listening))
        yield CounterMetricFamily("edgecore_mqtt_broker_restarts", "Times that it was started again.", self.restarts)
        yield GaugeMetricFamily("edgecore_mqtt_broker_clients", "Clients that are connected.", self._counted.clients)
        messages = CounterMetricFamily("edgecore_mqtt_broker_messages", "Messages by their fate.", labels=("fate",))
        for fate in ("received", "sent", "dropped", "unacknowledged"):
            messages.add_metric((fate,), getattr(self._counted, fate))
        yield messages

    async def _live(self) -> None:
        """Start a process and listen to it until it ends."""
        self._last_words, self._counted = "", Counted()
        process = await asyncio.create_subprocess_exec(
            *self._recipe.command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=LINE_LIMIT_BYTES,
            start_new_session=True,  # Ctrl-C goes to the node, which ends it in its turn
        )
        self._process = process
        try:
            await self._hear(process)
            code = await process.wait()
            self.ready.clear()
            self.reason = self._last_words or f"it ended with exit code {code}"
            log.error("broker_ended", exit_code=code, reason=self.reason, then="it is started again")
        finally:
            self.ready.clear()
            self._process = None
            await self._end(process)

    async def _hear(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None  # noqa: S101 - a pipe
        while True:
            silent = self._clock.call_at(self._clock.monotonic() + SILENT_S, lambda: self._give_up(process))
            try:
                line = await process.stdout.readline()
            except ValueError:  # longer than any line of ours
                continue
            finally:
                silent.cancel()
            if not line:
                return
            match heard(line):
                case Listening(library, python):
                    self.reason = ""
                    self.ready.set()
                    log.info(
                        "broker_listening",
                        address=self._recipe.address,
                        pid=process.pid,
                        library=f"amqtt {library}",
                        python=python,
                    )
                case Failed(reason):
                    self._last_words = reason
                case Library(level, where, words):
                    say = log.warning if level == "warning" else log.error
                    say("broker_library", where=where, words=words)
                case Counted() as counted:
                    self._counted = counted
                case None:
                    text = line.decode(errors="replace").strip()[:200]
                    self._last_words = text or self._last_words
                    log.debug("broker_line", text=text)

    def _give_up(self, process: asyncio.subprocess.Process) -> None:
        if process.returncode is None:
            self._last_words = f"it said nothing for {SILENT_S:.0f} s"
            process.kill()

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        """Close its input, which tells it to end; kill it if it does not."""
        assert process.stdin is not None  # noqa: S101 - a pipe
        process.stdin.close()
        try:
            await before(self._clock, self._clock.monotonic() + STOP_S, process.wait())
        except TimeoutError:
            log.warning("broker_would_not_end", pid=process.pid, then="it is killed")
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
