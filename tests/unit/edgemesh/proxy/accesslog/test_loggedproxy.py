from pathlib import Path
from typing import Any

import pytest

from edgecore.clock import VirtualClock
from edgecore.modules.edgemesh.proxy.accesslog.access import Served
from edgecore.modules.edgemesh.proxy.accesslog.accesslog import AccessLog, AccessSettings, open_access_log
from edgecore.modules.edgemesh.proxy.accesslog.loggedproxy import LoggedProxy
from edgecore.observe.metrics import Metrics


class LastWords:
    """A proxy that tells of one more connection when it stops."""

    def __init__(self, log: AccessLog) -> None:
        self.log = log
        self.error: Exception | None = None
        self.elsewhere: list[Any] = []
        self.add_figures_of = self.elsewhere.append

    async def listen(self, address: str, port: int, service: Any, transport: Any = "tcp") -> str:
        return f"{address}:{port}/{transport}"

    async def stop(self) -> None:
        self.log.tell(Served(client="10.9.9.9:1", service=None, port=80, handling="bytes"))
        if self.error is not None:
            raise self.error

    def status(self) -> dict[str, Any]:
        return {"requests": {}}

    def figures(self) -> dict[Any, Any]:
        return {}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "access.log"


@pytest.fixture
def proxy(path: Path, vclock: VirtualClock) -> LastWords:
    return LastWords(open_access_log(AccessSettings(str(path)), vclock))


async def test_what_the_proxy_tells_at_its_end_is_in_the_log(proxy: LastWords, path: Path, metrics: Metrics) -> None:
    logged = LoggedProxy(proxy, proxy.log, metrics)
    await logged.stop()

    assert path.read_text().count("\n") == 1
    assert logged.status() == {
        "requests": {},
        "access_log": {"lines": 1, "dropped": {"not_written": 0, "too_slow": 0}, "problem": ""},
    }
    assert b"edgecore_access_log_lines_total 1.0" in metrics.render()


async def test_the_log_is_written_though_the_proxy_fails_to_stop(
    proxy: LastWords, path: Path, metrics: Metrics
) -> None:
    proxy.error = RuntimeError("no")
    with pytest.raises(RuntimeError, match="no"):
        await LoggedProxy(proxy, proxy.log, metrics).stop()

    assert path.read_text().count("\n") == 1


async def test_all_else_is_the_proxys_own(proxy: LastWords, metrics: Metrics) -> None:
    logged = LoggedProxy(proxy, proxy.log, metrics)

    assert await logged.listen("127.0.0.1", 80, None, "udp") == "127.0.0.1:80/udp"
    assert logged.figures() == {}
    logged.add_figures_of("the kernel's")
    assert proxy.elsewhere == ["the kernel's"]
