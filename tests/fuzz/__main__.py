"""Looks for inputs that break a parser: ``python -m tests.fuzz [--seconds 60] [TARGET ...]``; ``make fuzz``."""

import argparse
import sys
from pathlib import Path

from tests.fuzz.growth import growth_of
from tests.fuzz.guided import fuzz, has_atheris
from tests.fuzz.target import CORPUS, Target, name_of
from tests.fuzz.targets import all_targets
from tests.fuzz.varied import vary

FOUND = 1
WRONG_USE = 2
_EPILOG = """\
What is found is kept in .fuzz/found/, and its last line says how to run it again; a finding that is mended goes into
tests/fuzz/corpus/TARGET/, where every run of the tests tries it. New inputs that reach more code are kept in
.fuzz/TARGET/ for the next time.

exit codes: 0 nothing found, 1 something found, 2 wrong use, 130 stopped by Ctrl-C
"""


def main(argv: list[str] | None = None) -> int:
    """Run, and return the exit code."""
    args = _arguments(argv)
    targets = all_targets()
    if unknown := [name for name in args.targets if name not in targets]:
        print(f"cannot fuzz {', '.join(unknown)}: there is no such target; see --list", file=sys.stderr)
        return WRONG_USE
    chosen = [targets[name] for name in args.targets] or list(targets.values())
    if args.list:
        print("\n".join(f"{one.name:22}{one.faces}" for one in chosen))
        return 0
    if args.input is not None:
        return _run_once(chosen, args.input)
    if args.seed_corpus:
        return _seed(chosen)
    if args.growth:
        return growth_of(chosen)
    if not has_atheris():
        print(
            "atheris is not installed (pip install '.[fuzz]'): the corpus is varied by chance instead", file=sys.stderr
        )
        return vary(chosen, args.seconds)
    return fuzz(chosen, args.seconds)


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz",
        description="Give every parser that faces a peer inputs that reach more and more of its code.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="only these; see --list")
    parser.add_argument("--seconds", type=float, default=60.0, help="for all targets together (default: 60)")
    parser.add_argument("--list", action="store_true", help="say which targets there are, and whose bytes they read")
    parser.add_argument("--input", type=Path, metavar="FILE", help="run one TARGET once, with the bytes of a file")
    parser.add_argument("--growth", action="store_true", help="say how the time of each target grows with its input")
    parser.add_argument("--seed-corpus", action="store_true", help="write what corpora begin with, from the recordings")
    return parser.parse_args(argv)


def _run_once(chosen: list[Target], file: Path) -> int:
    if len(chosen) != 1:
        print("cannot run an input: name the one TARGET that it is for", file=sys.stderr)
        return WRONG_USE
    try:
        data = file.read_bytes()
    except OSError as error:
        print(f"cannot read {file}: {error.strerror}; name a file of .fuzz/found or of a corpus", file=sys.stderr)
        return WRONG_USE
    chosen[0].run(data)  # a finding is seen as it is raised
    print(f"{chosen[0].name}: nothing found with {file}")
    return 0


def _seed(chosen: list[Target]) -> int:
    for one in chosen:
        one.directory.mkdir(parents=True, exist_ok=True)
        for old in one.directory.glob("seed-*"):
            old.unlink()
        for data in one.seeds():
            (one.directory / f"seed-{name_of(data)}.bin").write_bytes(data)
    print(f"{len(chosen)} corpora are in {CORPUS}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
