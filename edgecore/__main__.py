"""``python -m edgecore``: the command ``edgecore``."""

import sys

from edgecore.cli import main

if __name__ == "__main__":
    sys.exit(main())
