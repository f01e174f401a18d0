"""How the time of a parser grows with its input: pieces repeated, twice as often each time (a report, no test).

An exponent of 1 is a straight line, 2 a square. What is refused early grows with nothing. Inputs of a peer have limits,
so a square is a question of how far it goes: the time at the longest input stands beside it.
"""

import math
import time
from collections.abc import Iterator
from contextlib import suppress

from tests.fuzz import progress
from tests.fuzz.target import Target

LONGEST_BYTES = 256 * 1024
_BEGINS_BYTES = 16 * 1024
_STEEP = 1.5
_WORTH_S = 0.05
_PIECES = (b"", b"[", b'{"a":', b'"', b"\\", b"{}", b"[],", b" ", b"\n", b"\r\n", b"a", b"a,", b"(", b"$(", b"/", b"0",
           b"*", b"@", b"=", b"-", b"\xc0\x0c", b"\0", b"\x01a", b"%", b"&a ", b"- ")  # fmt: skip
_PLACES = (0.0, 0.25, 0.5, 0.75, 0.95, 1.0)


def growth_of(targets: list[Target]) -> int:
    """Print the steepest growth of each target; return 0."""
    print(f"{'target':22}{'exponent':>9}{'longest':>10}  of what")
    for number, target in enumerate(targets, 1):
        progress.show(f"{number} of {len(targets)}: {target.name}")
        exponent, seconds, what = max(_measured(target), default=(0.0, 0.0, "nothing that takes time"))
        progress.clear()
        mark = " <-" if exponent > _STEEP else ""
        print(f"{target.name:22}{exponent:9.2f}{seconds:9.3f}s  {what}{mark}", flush=True)
    return 0


def _measured(target: Target) -> Iterator[tuple[float, float, str]]:
    """Yield exponent, seconds and words for each way to grow that takes any time worth mentioning."""
    paths = target.corpus()
    for path in paths[:: max(1, len(paths) // 4)][:4]:
        data = path.read_bytes()
        for piece in _PIECES:
            for place in _PLACES:
                at = int(place * len(data))
                repeated = piece or data[at : at + 64]
                if not repeated:
                    continue
                last = _seconds(target, data, at, repeated, LONGEST_BYTES)
                if last < _WORTH_S:
                    continue
                first = _seconds(target, data, at, repeated, _BEGINS_BYTES)
                steps = math.log2(LONGEST_BYTES / _BEGINS_BYTES)
                words = f"{repeated[:24]!r} at byte {at} of {path.name}"
                yield math.log2(last / max(first, 1e-6)) / steps, last, words


def _seconds(target: Target, data: bytes, at: int, piece: bytes, size: int) -> float:
    grown = data[:at] + piece * (size // len(piece)) + data[at:]
    began = time.thread_time()
    with suppress(Exception):  # that is for the other runs to find
        target.run(grown)
    return time.thread_time() - began
