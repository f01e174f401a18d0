"""Shell lines for the proxy of a node."""

import subprocess
from typing import Any

import pytest

from edgecore.cli.env import shell_lines
from edgecore.errors import ControlError

Status = dict[str, Any]


def test_the_only_line_that_is_no_comment_sets_the_proxy(status: Status) -> None:
    lines = shell_lines(status).splitlines()
    assert [line for line in lines if not line.startswith("#")] == ["export http_proxy=http://127.0.0.1:40001"]


def test_a_shell_takes_the_lines(status: Status) -> None:
    script = f'eval "{shell_lines(status)}"; printf %s "$http_proxy"'
    done = subprocess.run(["/bin/sh", "-c", script], env={}, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("http://127.0.0.1:40001", "")


def test_ipv6_addresses_have_brackets_in_the_url_and_none_for_dig(status: Status) -> None:
    status["mesh"] |= {"plain_listener": "[::1]:40001", "dns": {"listening": ["[::1]:10053"]}}
    text = shell_lines(status)
    script = f'{text}; printf %s "$http_proxy"'.replace("+short", "+short\n:")
    done = subprocess.run(["/bin/sh", "-c", script], env={}, capture_output=True, text=True, check=True)
    assert done.stdout == "http://[::1]:40001"
    assert "#   dig @::1 -p 10053 " in text


def test_the_comments_show_how_to_try_a_service_that_is_there(status: Status) -> None:
    text = shell_lines(status)
    assert "#   curl http://nginx-svc.default.svc:12345/" in text
    assert "#   dig @127.0.0.1 -p 10053 nginx-svc.default.svc +short" in text


def test_without_services_the_comments_show_a_made_up_one(status: Status) -> None:
    status["mesh"]["services"] = []
    assert "#   curl http://my-service.default.svc:80/" in shell_lines(status)


def test_without_dns_only_the_proxy_is_shown(status: Status) -> None:
    status["mesh"]["dns"] = {"listening": []}
    assert "dig" not in shell_lines(status)


@pytest.mark.parametrize("name", ["x\nrm -rf ~", "x;reboot", "$(reboot)", "x y", "", None])
def test_a_name_that_a_shell_could_obey_is_never_printed(status: Status, name: object) -> None:
    status["mesh"]["services"][0]["name"] = name
    text = shell_lines(status)
    assert "my-service" in text
    assert "reboot" not in text
    assert [line for line in text.splitlines() if line.startswith("rm")] == []


@pytest.mark.parametrize("mesh", [{}, {"plain_listener": None}])
def test_a_node_without_plain_listener_is_an_error_that_says_why(status: Status, mesh: Status) -> None:
    with pytest.raises(ControlError, match=r"cannot print the proxy of the node: its plain listener is not bound"):
        shell_lines({**status, "mesh": mesh})


def test_the_example_is_a_port_that_can_be_tried() -> None:
    def service(name: str, state: str) -> dict[str, Any]:
        return {"namespace": "default", "name": name, "ports": [{"port": 80, "state": state}]}

    mesh = {"plain_listener": "127.0.0.1:1", "services": [service("shut", "not_served"), service("open", "listening")]}
    assert "http://open.default.svc:80/" in shell_lines({"mesh": mesh})


def test_an_external_name_is_no_example() -> None:
    service = {"namespace": "default", "name": "out", "type": "ExternalName", "ports": [{"port": 80}]}
    assert "out.default" not in shell_lines({"mesh": {"plain_listener": "127.0.0.1:1", "services": [service]}})
