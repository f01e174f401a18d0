"""What the tests of the configuration share: a machine that is always the same, and reading texts on it."""

from collections.abc import Callable

import pytest

from edgecore.config.host import Environment, default_config
from edgecore.config.load import LoadedConfig, parse
from edgecore.config.schema import EdgeCoreConfig
from edgecore.errors import ConfigError


@pytest.fixture(scope="session")
def env() -> Environment:
    return Environment(hostname="vm", local_ip="192.0.2.2")


@pytest.fixture(scope="session")
def defaults(env: Environment) -> EdgeCoreConfig:
    return default_config(env)


@pytest.fixture(scope="session")
def read(env: Environment) -> Callable[[str], LoadedConfig]:
    """Parse a text on that machine."""
    return lambda text: parse(text, "edgecore.yaml", env=env)


@pytest.fixture(scope="session")
def refusal(read: Callable[[str], LoadedConfig]) -> Callable[[str], str]:
    """Parse a text that is wrong, and return what the error says."""

    def refuse(text: str) -> str:
        with pytest.raises(ConfigError) as caught:
            read(text)
        return str(caught.value)

    return refuse
