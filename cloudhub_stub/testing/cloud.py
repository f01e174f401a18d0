"""A small KubeEdge cloud for a test, with as many edges as it wants: started in a directory, driven by plain calls."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from cloudhub_stub.cluster.kinds import Object
from cloudhub_stub.testing.client import CloudClient, Json
from cloudhub_stub.testing.conditions import at_rest, ready_node, rolled_out
from cloudhub_stub.testing.edge import Edge, merged
from cloudhub_stub.testing.errors import NotYet, ProgramFailed
from cloudhub_stub.testing.processes import Program, wait_for
from cloudhub_stub.testing.stub import StubProgram
from cloudhub_stub.testing.waiting import name_of

T = TypeVar("T")

TIMEOUT_S = 30.0


class Cloud(CloudClient):
    """A running stub and its edges, from ``Cloud.start`` until the ``with`` block or ``stop`` ends them."""

    def __init__(self, directory: Path, stub: StubProgram, settings: Mapping[str, Any] | None = None) -> None:
        super().__init__(stub.control)
        self.directory = directory
        self.stub = stub
        """The cloud side itself: ``stop``, ``kill``, ``start`` and ``restart`` it while its edges go on."""
        self.edges: list[Edge] = []
        """All that were started, running or not."""
        self._settings = settings or {}

    # Programs.

    @classmethod
    def start(
        cls,
        directory: Path,
        *,
        plain: bool = False,
        edges: int | Sequence[str] = 0,
        args: Sequence[str] = (),
        settings: Mapping[str, Any] | None = None,
    ) -> "Cloud":
        """Start a stub on free ports that keeps all files in ``directory``, and edges, and wait until these are ready.

        ``plain`` is without TLS; ``edges`` are names, or how many (``edge-1``, ``edge-2``, ...); ``args`` are further
        arguments of ``cloudhub-stub run``; ``settings`` are keys for the ``edgecore.yaml`` of every edge. Raises
        ``ProgramFailed`` or ``NotYet``, with nothing left running.
        """
        cloud = cls(directory, StubProgram(directory, plain=plain, arguments=args), settings)
        names = [f"edge-{number}" for number in range(1, edges + 1)] if isinstance(edges, int) else edges
        try:
            cloud.stub.start()
            for name in names:
                cloud.start_edge(name, wait=False)
            for name in names:
                cloud.wait_for_node(name)
        except BaseException:
            cloud.kill()
            raise
        return cloud

    def start_edge(self, name: str, *, settings: Mapping[str, Any] | None = None, wait: bool = True) -> Edge:
        """Let a new node join and run; unless ``wait`` is false, return once the cloud knows that it is ready.

        Raises ``ProgramFailed`` or ``NotYet``.
        """
        if any(edge.name == name for edge in self.edges):
            raise ProgramFailed(f"cannot start {name} as a new edge: this cloud has one; start it with edge.start()")
        wanted = merged(self._settings, settings or {})
        edge = Edge(name, self.directory / "edges", self.stub, number=len(self.edges), settings=wanted)
        edge.join()
        edge.start()
        self.edges.append(edge)
        if wait:
            self.wait_for_node(name)
        return edge

    def edge(self, name: str) -> Edge:
        """Return an edge by its name. Raises ``LookupError``."""
        for edge in self.edges:
            if edge.name == name:
                return edge
        raise LookupError(f"this cloud has no edge {name}; it has {', '.join(e.name for e in self.edges) or 'none'}")

    @property
    def programs(self) -> list[Program]:
        """The edges and the stub, in the order in which they are stopped."""
        return [*self.edges, self.stub]

    def stop(self) -> None:
        """Stop all edges, then the stub; does nothing the second time.

        Nothing runs afterwards. Raises ``ProgramFailed`` for the first that had ended by itself or does not end well.
        """
        failures: list[ProgramFailed] = []
        try:
            for step in (*(edge.end for edge in self.edges), *(program.stop for program in self.programs)):
                try:
                    step()
                except ProgramFailed as failure:
                    failures.append(failure)
        finally:
            self.kill()
        if failures:
            raise failures[0]

    def kill(self) -> None:
        """End all at once."""
        for program in self.programs:
            program.kill()

    def __enter__(self) -> "Cloud":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What went wrong in the block comes first: a program that ended by itself was seen there.
        with suppress(*([ProgramFailed] if error is not None else [])):
            self.stop()

    # Waiting.

    def wait_for(self, condition: Callable[["Cloud"], T], timeout_s: float = TIMEOUT_S, what: str = "") -> T:
        """Return what ``condition(cloud)`` returns, once that is true.

        Assertions that do not hold, objects, fields and answers that are not there yet mean: not yet. Raises ``NotYet``
        after ``timeout_s`` with ``what`` and what was seen last, and ``ProgramFailed`` as soon as a program has ended
        that nobody told to.
        """
        __tracebackhide__ = True  # pytest shows the line of the test

        def look() -> T:
            __tracebackhide__ = True
            self._check()
            return condition(self)

        return wait_for(look, what or name_of(condition), timeout_s)

    def wait_for_deployment(self, name: str, namespace: str = "default", timeout_s: float = TIMEOUT_S) -> Object:
        """Return a deployment, once all pods that it wants are available, and of its newest template."""
        __tracebackhide__ = True
        what = f"deployment {namespace}/{name} rolled out"
        return self.wait_for(lambda _: rolled_out(self.get("Deployment", name, namespace)), timeout_s, what)

    def wait_for_node(self, name: str, timeout_s: float = TIMEOUT_S) -> Json:
        """Return a node as ``nodes`` has it, once it is connected and has said that it is ready."""
        __tracebackhide__ = True
        return self.wait_for(lambda _: dict(ready_node(self.nodes(), name)), timeout_s, f"node {name} ready")

    def wait_for_settled(self, timeout_s: float = TIMEOUT_S) -> None:
        """Return once everything has arrived and all is quiet.

        No message waits for a node, or in an edge that runs; each is accounted for in the ledgers; and two looks one
        after the other find that none was sent in between.
        """
        __tracebackhide__ = True
        before = 0

        def look() -> bool:
            nonlocal before
            before, last = self._messages_at_rest(), before
            if before != last:
                raise NotYet("messages were sent a moment ago")
            return True

        self.wait_for(lambda _: look(), timeout_s, "the cloud and its edges settled")

    def _messages_at_rest(self) -> int:
        edges = {edge.name: edge.brief_status() for edge in self.edges if edge.running}
        ledgers = {program.name: program.ledger() for program in self.programs if program.running}
        return at_rest(self.status(), edges, ledgers)

    def _check(self) -> None:
        __tracebackhide__ = True
        for program in self.programs:
            program.check()
