"""``python -m tools.reference``: write every page that the code has changed (``make reference``)."""

import sys

from edgecore.observe.logs import configure_logging
from tools.reference.pages import PAGES
from tools.reference.sources import ROOT, read_sources


def main() -> int:
    """Write the pages, and say which were not as they are to be."""
    configure_logging("error", "auto")
    sources = read_sources()
    changed = 0
    for path, make in PAGES.items():
        file, text = ROOT / path, make(sources)
        if not file.exists() or file.read_text("utf-8") != text:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
            sys.stdout.write(f"written: {path}\n")
            changed += 1
    sys.stdout.write(f"{changed} of {len(PAGES)} pages were written; the others are as they are to be\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
