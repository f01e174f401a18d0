"""``edgecore.yaml`` from a file or a text to a checked configuration."""

from pathlib import Path
from typing import NamedTuple

from edgecore.config.decode import Decoder
from edgecore.config.document import DocumentError, ScalarNode, read_document
from edgecore.config.host import Environment, default_config
from edgecore.config.problem import Problem, all_in_one
from edgecore.config.scalars import is_null
from edgecore.config.schema import EdgeCoreConfig
from edgecore.config.validate import validate
from edgecore.errors import ConfigError, reason_of

DEFAULT_PATH = Path("/etc/kubeedge/config/edgecore.yaml")
MAX_FILE_BYTES = 1 << 20
MAX_WARNINGS = 50

_HOW_TO_START = "`edgecore config --min --user` prints one to start from"


class LoadedConfig(NamedTuple):
    """A configuration and what its file said."""

    config: EdgeCoreConfig
    warnings: tuple[Problem, ...]
    """Unknown and repeated keys: each is one line for the log."""
    given: frozenset[str]
    """The dotted paths that the file itself has, such as ``modules.edgeMesh.listenInterface``."""
    origin: str
    """Where it was read from."""


def load(path: Path, *, env: Environment) -> LoadedConfig:
    """Read and check a file. Raises ``ConfigError``, with everything that is wrong in it."""
    return parse(_read(path), str(path), env=env)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        hint = f"see --minconfig and --defaultconfig for its form; {_HOW_TO_START}"
        raise ConfigError(f"cannot read config file {path}: it does not exist; {hint}") from None
    except IsADirectoryError:
        raise ConfigError(f"cannot read config file {path}: it is a directory; name the file in it") from None
    except (OSError, ValueError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else str(error)
        raise ConfigError(f"cannot read config file {path}: {reason}") from None
    if len(data) > MAX_FILE_BYTES:
        raise ConfigError(
            f"cannot read config file {path}: it is larger than {MAX_FILE_BYTES} bytes; is it the right file?"
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"cannot read config file {path}: line {line}: it is not UTF-8 text; save it as UTF-8"
        ) from None


def parse(text: str, origin: str, *, env: Environment) -> LoadedConfig:
    """Decode a text over the defaults of the machine, and check it. ``origin`` names it in errors.

    Raises ``ConfigError``. A text without any value is refused, though Go takes it: an empty file is what is left
    when writing one failed, and a node that starts with all defaults is another node.
    """
    try:
        document = read_document(text)
    except DocumentError as error:
        raise ConfigError(f"cannot read {origin} as YAML: {error}") from None
    if document.root is None or is_null(document.root):
        raise ConfigError(f"cannot use {origin}: it is empty; {_HOW_TO_START}")
    if isinstance(document.root, ScalarNode):
        raise ConfigError(f"cannot use {origin}: it is not a mapping but a single value; {_HOW_TO_START}")
    decoder = Decoder()
    config = decoder.decode(document.root, default_config(env))
    problems = decoder.problems + [
        problem._replace(line=decoder.lines.get(problem.path)) for problem in validate(config)
    ]
    if problems:
        raise all_in_one(origin, problems)
    warnings = decoder.warnings
    if document.second_at is not None:
        warnings.append(Problem("", "another document begins here; only the first one is read", document.second_at))
    return LoadedConfig(config, _first(warnings), frozenset(decoder.lines), origin)


def _first(warnings: list[Problem]) -> tuple[Problem, ...]:
    if len(warnings) <= MAX_WARNINGS:
        return tuple(warnings)
    rest = Problem("", f"{len(warnings) - MAX_WARNINGS} more keys are unknown or repeated")
    return (*warnings[:MAX_WARNINGS], rest)
