"""Draws the pictures of a terminal that the documents show, from what the programs print.

`python docs/pictures/draw.py` runs the demonstration and makes `demo.svg` anew. It shows the first lines of each step
as they were printed, without the paths of that run, and cut at the right edge.
"""

import io
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

FOLDER = Path(__file__).parent
COLUMNS = 112
TITLE = "make demo"
MOST_LINES = 5
"""How many lines of a step are shown."""
UNWANTED = re.compile(
    r"^ {7,}|^ +(?:question|answer|link|modules) |^ +(?:and|the|its|all) [^:]*:|mosquitto_(?:sub|pub)|sqlite3"
    r"|ok: rows: 1"
)
"""Lines that say at length what stands above them: messages as JSON, packets as digits, where files are."""
OWN_PATH = re.compile(r" --control \S+|(?<= )/\S+/(?=[\w.-]+\.(?:jsonl|yaml))")
"""What is different in each run, or on each machine."""
STYLES = ((r"^\[\d+/\d+\].*", "bold blue"), (r"^ +\$ .*", "bold"), (r"^ +ok:", "green"), (r"^ +[45]\d\d .*", "yellow"))
INK, PAPER = (216, 220, 228), (40, 44, 52)
RED, GREEN, YELLOW = (224, 108, 117), (152, 195, 121), (229, 192, 123)
BLUE, PURPLE, CYAN = (97, 175, 239), (198, 120, 221), (86, 182, 194)
THEME = TerminalTheme(PAPER, INK, [PAPER, RED, GREEN, YELLOW, BLUE, PURPLE, CYAN, INK])
"""Dark in itself, with a frame: readable on a light page and on a dark one."""


def main() -> int:
    """Run the demonstration, and draw it."""
    done = subprocess.run([sys.executable, "-m", "edgecore", "demo"], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(f"cannot draw the demonstration: it failed; run it alone to see why\n{done.stdout[-2000:]}\n")
        return 1
    (FOLDER / "demo.svg").write_text(picture(shown(done.stdout)), "utf-8")
    return 0


def shown(printed: str) -> Iterator[str]:
    """Yield the lines of the picture."""
    for step in printed[printed.index("\n[1/") :].rstrip().split("\n\n"):
        lines = [line for line in step.strip("\n").splitlines() if not UNWANTED.search(line)]
        for line in lines[: MOST_LINES + 1]:
            short = OWN_PATH.sub("", line).rstrip()
            yield short if len(short) <= COLUMNS else f"{short[: COLUMNS - 1]}…"
        yield ""


def picture(lines: Iterator[str]) -> str:
    """Return an SVG that loads nothing from elsewhere."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(f"$ {TITLE}", style="bold", highlight=False)
    for line in lines:
        text = Text(line)
        for pattern, style in STYLES:
            text.highlight_regex(pattern, style)
        console.print(text)
    svg = console.export_svg(title="edgecore", theme=THEME, unique_id="demo")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    return svg.replace("Fira Code, monospace", "ui-monospace, monospace")


if __name__ == "__main__":
    sys.exit(main())
