"""A whole node whose disk is full: what it has goes on, nothing new is lost, and there is room again."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.needs_root
ROOT = Path(__file__).parents[2]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[tuple[Path, Path, list[str]]]:
    """A file system of 1 MiB in a namespace of its own: where it is there, where it is seen here, and the way in."""
    unshare, nsenter = shutil.which("unshare"), shutil.which("nsenter")
    if (
        not (unshare and nsenter)
        or subprocess.run([unshare, "-m", "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("this root may not make a mount namespace")
    inside = tmp_path / "disk"
    inside.mkdir()
    command = f"mount -t tmpfs -o size=1m,mode=0700 tmpfs {inside} && echo ready && exec cat"
    with subprocess.Popen(
        [unshare, "-m", "sh", "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"ready\n"
        enter = [nsenter, "-m", "-t", str(holder.pid), "--", "env", "--chdir", str(ROOT)]
        yield inside, Path(f"/proc/{holder.pid}/root{inside}"), enter


def fill(place: Path) -> None:
    with (place / "filler").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass


def test_a_node_with_a_full_disk_serves_what_it_has_and_takes_the_rest_once_there_is_room(
    programs: Any, words: Any, config_text: Callable[..., str], small_disk: Any
) -> None:
    inside, seen, way_in = small_disk
    cloud = programs.cloud(flags=["--resend-every", "0.2"])
    directory = programs.directory("edge-1")
    there = (
        f'"control": {{"socket": "{directory}/edgecore.sock"}}, "database": {{"dataSource": "{inside}/edgecore.db"}}'
    )
    here = f'"database": {{\n    "dataSource": "{directory}/edgecore.db"\n  }}'
    text = config_text(directory, cloud.url)
    assert here in text
    programs.prefix = way_in
    node = programs.node(text=text.replace(here, there))
    programs.prefix = []
    node.ready()
    cloud.send(words.put(words.service("before")))
    node.service("before")

    fill(seen)
    with ThreadPoolExecutor(1) as pool:
        service = words.service("after")
        service["metadata"]["annotations"] = {"long": "x" * 50_000}
        sending = pool.submit(cloud.send, words.put(service))
        status = node.wait_for("full disk", lambda status: status["state"] == "degraded" and status)
        assert any("disk is full; make room in" in reason for reason in status["reasons"])
        assert node.resolve("before.default.svc.cluster.local")[0] == "NOERROR"
        assert node.find("after") is None
        assert not sending.done(), "nothing is acknowledged that is not stored"
        (seen / "filler").unlink()
        sending.result(20)
    node.service("after")
    node.wait_for("health", lambda status: status["state"] == "ok")
    assert len(node.lines("write_failed")) == 1
    assert len(node.lines("writes_succeed_again")) == 1
    assert len(node.lines("request_failed")) == 1
    assert node.stop() == 0
