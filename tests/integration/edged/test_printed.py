"""Logs of containers: what is written, what is read, and that none of it is lost where a file is turned."""

import asyncio
from pathlib import Path

import pytest

from edgecore.clock import SystemClock
from edgecore.modules.edged.process.logfile import LogFile
from edgecore.modules.edged.process.logreading import printed

LINES = [f"line {number}\n" for number in range(100)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "0.log"


def write(path: Path, *lines: str, limit_bytes: int = 10_000) -> None:
    log = LogFile(str(path), limit_bytes)
    for line in lines:
        log.write(line.encode())
    log.close()


async def read(path: Path, tail: int | None = None) -> str:
    return "".join([text async for text in printed(path, SystemClock(), tail=tail)])


async def test_all_is_read_the_older_part_first(path: Path) -> None:
    write(path, *LINES, limit_bytes=500)
    text = await read(path)
    assert "".join(LINES).endswith(text)
    assert 500 <= len(text) <= 1000


@pytest.mark.parametrize("tail", [0, 1, 2, 50, 99, 100, 1000])
@pytest.mark.parametrize("end", ["", "\n"])
async def test_as_many_last_lines_are_read_as_were_asked_for(path: Path, tail: int, end: str) -> None:
    whole = "".join(LINES).removesuffix("\n") + end
    write(path, whole)
    assert await read(path, tail) == "".join(whole.splitlines(keepends=True)[-tail:] if tail else [])


async def test_the_last_lines_come_from_the_older_part_too(path: Path) -> None:
    write(path, *LINES, limit_bytes=500)
    assert await read(path, 70) == "".join(LINES[-70:])


async def test_a_file_that_is_begun_anew_is_followed_without_a_gap(path: Path) -> None:
    write(path, LINES[0])
    seen: list[str] = []
    going = True

    async def follow() -> None:
        async for text in printed(path, SystemClock(), follows=lambda: going):
            seen.append(text)  # noqa: PERF401 - one by one, as they come

    following = asyncio.create_task(follow())
    for line in LINES[1:]:
        write(path, line, limit_bytes=500)
        await asyncio.sleep(0.002)
        if line == LINES[30]:
            await asyncio.sleep(0.3)
    await asyncio.sleep(0.3)
    going = False
    await asyncio.wait_for(following, 10)
    text = "".join(seen)
    assert text.startswith(LINES[0])
    assert text.endswith(LINES[-1])


async def test_bytes_that_are_no_text_are_replaced(path: Path) -> None:
    path.write_bytes(b"a\xffb")
    assert await read(path) == "a\ufffdb"


def test_nothing_is_written_through_a_link(path: Path, tmp_path: Path) -> None:
    path.symlink_to(tmp_path / "other")
    with pytest.raises(OSError, match="symbolic"):
        LogFile(str(path), 100)
