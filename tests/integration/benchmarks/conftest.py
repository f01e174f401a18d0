"""The folder of the benchmarks, whose scripts find their parts beside them.

It comes last: some of its scripts have names that others have too."""

import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
if str(BENCHMARKS) not in sys.path:
    sys.path.append(str(BENCHMARKS))
