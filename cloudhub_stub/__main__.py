"""``python -m cloudhub_stub``: the command ``cloudhub-stub``."""

import sys

from cloudhub_stub.cli import main

if __name__ == "__main__":
    sys.exit(main())
