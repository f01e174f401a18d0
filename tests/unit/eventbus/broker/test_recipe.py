"""What the embedded broker is started with."""

import json
import sys

import pytest

from edgecore.errors import ConfigError
from edgecore.modules.eventbus.broker.recipe import PYTHON_VARIABLE, BrokerRecipe, find_python, listening_host


def _recipe(host: str, port: int = 1884) -> BrokerRecipe:
    return BrokerRecipe("/opt/python", listening_host(host), port, queue=100, packet_bytes=4096)


def test_the_setting_goes_before_the_variable_and_that_before_the_own_interpreter() -> None:
    environ = {PYTHON_VARIABLE: "/opt/other"}
    assert find_python("/opt/python", environ, has_library=True) == "/opt/python"
    assert find_python("", environ, has_library=True) == "/opt/other"
    assert find_python("", {}, has_library=True) == sys.executable


def test_without_any_interpreter_the_error_says_what_to_install_and_where_to_name_it() -> None:
    with pytest.raises(ConfigError) as raised:
        find_python("", {}, has_library=False)
    text = str(raised.value)
    assert text.startswith("cannot start the embedded MQTT broker: ")
    assert "amqtt==0.12.*" in text
    assert "eventBus.internal.python" in text
    assert PYTHON_VARIABLE in text


def test_the_command_runs_the_program_apart_from_everything_else_with_its_orders() -> None:
    python, isolated, program, orders = _recipe("127.0.0.1").command
    assert (python, isolated) == ("/opt/python", "-I")
    assert program.endswith("broker/child.py")
    assert json.loads(orders) == {
        "host": "127.0.0.1",
        "port": 1884,
        "queue": 100,
        "clients": 500,
        "packet_bytes": 4096,
    }


@pytest.mark.parametrize(
    ("host", "address"),
    [("127.0.0.1", "127.0.0.1:1884"), ("localhost", "127.0.0.1:1884"), ("::1", "[::1]:1884")],
)
def test_loopback_is_open_to_nobody_else(host: str, address: str) -> None:
    recipe = _recipe(host)
    assert recipe.address == address
    assert not recipe.is_open_to_others


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::"])
def test_any_other_address_is_open_to_others(host: str) -> None:
    assert _recipe(host).is_open_to_others


@pytest.mark.parametrize("host", ["edge.example", "127.1", "1884", ""])
def test_a_name_is_nothing_to_listen_on_and_the_error_names_the_setting(host: str) -> None:
    with pytest.raises(ConfigError, match="mqttServerInternal"):
        listening_host(host)
