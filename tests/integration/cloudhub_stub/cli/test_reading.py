"""The commands that show something, against a stub that answers as a test says."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from typing import Any

import yaml

from edgecore.control.routes import ControlRefused, ControlRequest

CREATED = "2020-05-04T10:00:00Z"


def pod(name: str, phase: str = "Running", namespace: str = "default") -> dict[str, Any]:
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"name": name, "namespace": namespace, "creationTimestamp": CREATED},
        "spec": {"containers": [{"name": "c"}]},
        "status": {"phase": phase},
    }


def service(name: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default", "creationTimestamp": CREATED}
    return {"kind": "Service", "apiVersion": "v1", "metadata": metadata, "spec": {"clusterIP": "None"}}


async def test_objects_of_a_kind_are_a_table(stub: Any, run: Any) -> None:
    stub.answers["objects"] = [pod("a"), pod("b", "Pending")]
    done = await run("get", "pods", "-l", "app=web,tier!=db")
    assert (done.code, done.err) == (0, "")
    assert [line.split()[:3] for line in done.out.splitlines()] == [
        ["NAME", "READY", "STATUS"],
        ["a", "0/1", "Running"],
        ["b", "0/1", "Pending"],
    ]
    assert stub.asked == [("objects", {"kind": "Pod", "namespace": "default", "selector": "app=web,tier!=db"})]


async def test_over_all_namespaces_none_is_asked_for(stub: Any, run: Any) -> None:
    stub.answers["objects"] = [pod("a", namespace="shop")]
    done = await run("get", "pods", "-A", "--no-headers")
    assert done.out.split()[:2] == ["shop", "a"]
    assert stub.asked == [("objects", {"kind": "Pod"})]


async def test_several_kinds_are_tables_with_a_line_between_them(stub: Any, run: Any) -> None:
    by_kind = {"Pod": [pod("a")], "Service": [service("web")], "Deployment": []}
    stub.answers["objects"] = lambda request: by_kind[request.query["kind"]]
    done = await run("get", "all")
    assert [line.split()[:1] for line in done.out.splitlines()] == [["NAME"], ["pod/a"], [], ["NAME"], ["service/web"]]


async def test_where_nothing_is_a_sentence_says_so(stub: Any, run: Any) -> None:
    stub.answers["objects"] = []
    assert await run("get", "pods") == (0, "", "No resources found in default namespace.\n")
    assert await run("get", "nodes") == (0, "", "No resources found\n")
    assert await run("get", "pods", "-A") == (0, "", "No resources found\n")


async def test_a_name_that_is_not_there_fails_beside_those_that_are(stub: Any, run: Any) -> None:
    stub.answers["objects"] = lambda request: [pod("a")] if request.query["name"] == "a" else []
    done = await run("get", "pods", "a", "b", "-o", "name")
    assert done == (
        1,
        "pod/a\n",
        'cloudhub-stub: cannot get pods "b": not found in namespace default; see `cloudhub-stub get pods -A`\n',
    )


async def test_one_object_is_a_document_and_several_are_a_list(stub: Any, run: Any) -> None:
    stub.answers["objects"] = [pod("a")]
    assert yaml.safe_load((await run("get", "pod/a", "-o", "yaml")).out) == pod("a")
    assert json.loads((await run("get", "pod", "a", "-o", "json")).out) == pod("a")
    assert json.loads((await run("get", "pods", "-o", "json")).out)["items"] == [pod("a")]


async def test_an_empty_list_is_a_document_too(stub: Any, run: Any) -> None:
    stub.answers["objects"] = []
    assert json.loads((await run("get", "pods", "-o", "json")).out)["items"] == []


async def test_a_name_that_is_not_there_is_no_document(stub: Any, run: Any) -> None:
    stub.answers["objects"] = []
    done = await run("get", "pods", "a", "-o", "json")
    assert (done.code, done.out) == (1, "")


async def test_a_refusal_is_exit_code_1_with_its_text(stub: Any, run: Any) -> None:
    stub.answers["objects"] = ControlRefused(400, "cannot read selector 'a=': ...")
    assert await run("get", "pods", "-l", "a=") == (1, "", "cloudhub-stub: cannot read selector 'a=': ...\n")


class Changes:
    """Streams what is put in, to each who asks."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()

    def __call__(self, _request: ControlRequest) -> AsyncIterator[dict[str, Any]]:
        async def stream() -> AsyncIterator[dict[str, Any]]:
            while (item := await self.queue.get()) is not None:
                yield item

        return stream()

    def put(self, *items: dict[str, Any] | None) -> None:
        for item in items:
            self.queue.put_nowait(item)


def change(kind: str, obj: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "object": obj}


async def test_a_watch_shows_what_is_there_and_then_each_change(stub: Any, start: Any) -> None:
    stub.answers["objects"] = changes = Changes()
    changes.put(change("ADDED", pod("a-long-name", "Pending")), change("ADDED", pod("b")), {"type": "BOOKMARK"})
    process = await start("get", "pods", "-w")
    first = [await process.stdout.readline() for _ in range(3)]
    assert [line.split()[0] for line in first] == [b"NAME", b"a-long-name", b"b"]
    changes.put(change("MODIFIED", pod("a-long-name")))
    line = await process.stdout.readline()
    assert line.split()[:3] == [b"a-long-name", b"0/1", b"Running"]
    assert line.index(b"0/1") == first[2].index(b"0/1")
    assert stub.asked == [("objects", {"kind": "Pod", "namespace": "default", "watch": "1"})]


async def test_a_watch_that_is_interrupted_ends_without_a_word(stub: Any, start: Any) -> None:
    stub.answers["objects"] = changes = Changes()
    changes.put(change("ADDED", pod("a")), {"type": "BOOKMARK"})
    process = await start("get", "pod", "a", "-w", "-o", "name")
    assert await process.stdout.readline() == b"pod/a\n"
    process.send_signal(signal.SIGINT)
    _, err = await process.communicate()
    assert (process.returncode, err) == (130, b"")


async def test_a_watch_of_which_nobody_reads_any_more_ends(stub: Any, start: Any) -> None:
    stub.answers["objects"] = changes = Changes()
    changes.put({"type": "BOOKMARK"}, change("ADDED", pod("a")))
    process = await start("get", "pods", "-w")
    await process.stdout.readline()
    process._transport.get_pipe_transport(1).close()
    for _ in range(3):
        changes.put(change("MODIFIED", pod("a")))
    await process.wait()
    assert process.returncode == 141


async def test_a_watch_that_the_stub_does_not_survive_fails(stub: Any, run: Any) -> None:
    stub.answers["objects"] = changes = Changes()
    changes.put(change("ADDED", pod("a")), {"type": "BOOKMARK"}, None)
    done = await run("get", "pods", "-w")
    assert (done.code, done.err) == (
        1,
        "cloudhub-stub: cannot watch pods any longer: the stub hung up; cloudhub-stub status says whether it runs\n",
    )
    assert len(done.out.splitlines()) == 2


async def test_watched_documents_can_be_read_one_by_one(stub: Any, run: Any) -> None:
    stub.answers["objects"] = changes = Changes()
    events = [change("ADDED", pod("a")), {"type": "BOOKMARK"}, change("DELETED", pod("b")), None]
    changes.put(*events)
    done = await run("get", "pods", "-w", "-o", "yaml")
    assert list(yaml.safe_load_all(done.out)) == [pod("a"), pod("b")]
    changes.put(*events)
    done = await run("get", "pods", "-w", "-o", "json")
    first, end = json.JSONDecoder().raw_decode(done.out)
    assert first == pod("a")
    assert json.loads(done.out[end:]) == pod("b")


async def test_an_object_is_described_with_what_belongs_to_it(stub: Any, run: Any) -> None:
    event = {"at_ms": 0, "type": "Warning", "reason": "FailedScheduling", "message": "0/0 nodes are available"}
    stub.answers["describe"] = {"object": pod("a"), "events": [event], "related": {}}
    done = await run("describe", "pod", "a", "-n", "shop")
    assert done.code == 0
    assert done.out.startswith("Name:")
    assert "FailedScheduling" in done.out
    assert stub.asked == [("describe", {"kind": "Pod", "namespace": "shop", "name": "a"})]


async def test_all_of_a_kind_are_described_one_after_the_other(stub: Any, run: Any) -> None:
    stub.answers["objects"] = [pod("a", namespace="x"), pod("b", namespace="y")]
    stub.answers["describe"] = lambda request: {"object": pod(request.query["name"]), "events": [], "related": {}}
    done = await run("describe", "pods", "-A")
    assert done.out.count("\n\n\nName:") == 1
    assert [query.get("namespace") for path, query in stub.asked if path == "describe"] == ["x", "y"]


async def test_of_objects_to_describe_the_missing_one_is_named(stub: Any, run: Any) -> None:
    def answer(request: ControlRequest) -> Any:
        if request.query["name"] == "b":
            return ControlRefused(404, 'cannot describe it: pods "b" not found')
        return {"object": pod("a"), "events": [], "related": {}}

    stub.answers["describe"] = answer
    done = await run("describe", "pods", "b", "a")
    assert (done.code, done.err) == (1, 'cloudhub-stub: cannot describe it: pods "b" not found\n')
    assert done.out.startswith("Name:")


async def test_nothing_to_describe_is_a_sentence(stub: Any, run: Any) -> None:
    stub.answers["objects"] = []
    assert await run("describe", "pods") == (0, "", "No resources found\n")


ENTRY = {
    "id": "m1",
    "at_ms": 1_589_000_000_123,
    "operation": "insert",
    "resource": "default/pod/web",
    "resource_version": "7",
    "bytes": 1234,
    "lane": "ack",
    "state": "sent",
    "sends": 1,
    "took_ms": None,
    "reason": "",
}


async def test_the_messages_to_a_node_are_listed(stub: Any, run: Any) -> None:
    stub.answers["trace"] = [ENTRY]
    assert (await run("messages", "edge-1")).out.splitlines()[1].split()[:4] == [
        *["04:53:20.123", "sent", "insert", "default/pod/web"]
    ]
    assert json.loads((await run("messages", "edge-1", "-o", "json")).out) == [ENTRY]
    assert stub.asked[0] == ("trace", {"node": "edge-1"})


async def test_of_a_node_to_which_nothing_was_sent_a_sentence_says_so(stub: Any, run: Any) -> None:
    stub.answers["trace"] = []
    assert await run("messages", "edge-1") == (0, "", "nothing was sent to edge-1 yet\n")


async def test_messages_are_shown_as_they_are_sent_and_acknowledged(stub: Any, start: Any) -> None:
    stub.answers["trace"] = changes = Changes()
    changes.put(ENTRY)
    process = await start("messages", "edge-1", "-w")
    await process.stdout.readline()
    assert b"sent" in await process.stdout.readline()
    changes.put({**ENTRY, "state": "acknowledged", "took_ms": 3}, {"missed": 2})
    assert b"acknowledged" in await process.stdout.readline()
    assert await process.stdout.readline() == b"(2 changes came too fast to be shown)\n"
    process.send_signal(signal.SIGINT)
    _, err = await process.communicate()
    assert (process.returncode, err) == (130, b"")
    assert stub.asked == [("trace", {"node": "edge-1", "watch": "1"})]


async def test_watched_messages_as_json_are_a_line_each(stub: Any, run: Any) -> None:
    stub.answers["trace"] = changes = Changes()
    changes.put(ENTRY, ENTRY, None)
    done = await run("messages", "edge-1", "-w", "-o", "json")
    assert [json.loads(line) for line in done.out.splitlines()] == [ENTRY, ENTRY]
    assert (done.code, done.err) == (
        1,
        (
            "cloudhub-stub: cannot watch the messages to edge-1 any longer: the stub hung up; "
            "cloudhub-stub status says whether it runs\n"
        ),
    )
