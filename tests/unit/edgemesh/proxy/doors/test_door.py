"""The doors behind one listening socket."""

from edgecore.modules.edgemesh.names import Endpoint, ServiceKey
from edgecore.modules.edgemesh.proxy.doors.destination import Meant
from edgecore.modules.edgemesh.proxy.doors.door import Door, Doors

NGINX = ServiceKey("default", "nginx")
HERE = Endpoint("127.0.0.1", 80)


class Guest:
    def __init__(self) -> None:
        self.heard: list[str] = []

    def leave(self) -> None:
        self.heard.append("leave")

    def abort(self) -> None:
        self.heard.append("abort")


def meant(port: int) -> Meant:
    return Meant(NGINX, Endpoint("9.251.1.1", port))


def test_what_is_meant_by_all_is_the_front_door() -> None:
    front = Door(NGINX, HERE)
    assert Doors(front).of(Meant(NGINX, HERE)) is front


def test_each_other_address_has_one_door() -> None:
    doors = Doors(Door(None, HERE))
    one = doors.of(meant(1))
    assert (one.service, one.address, one.host) == (NGINX, Endpoint("9.251.1.1", 1), b"9.251.1.1:1")
    assert doors.of(meant(1)) is one
    assert doors.of(meant(2)) is not one


def test_all_are_closed_together_and_over_when_the_last_guest_has_left() -> None:
    doors, guest = Doors(Door(None, HERE)), Guest()
    other = doors.of(meant(1))
    other.clients.add(guest)
    doors.close()
    assert (guest.heard, other.closed, doors.front.closed, doors.over) == (["leave"], True, True, False)
    other.clients.discard(guest)
    assert doors.over


def test_abort_is_heard_by_all() -> None:
    doors, guest = Doors(Door(None, HERE)), Guest()
    doors.of(meant(1)).clients.add(guest)
    doors.abort()
    assert guest.heard == ["leave", "abort"]


def test_doors_without_guests_are_forgotten() -> None:
    doors, guest = Doors(Door(None, HERE)), Guest()
    kept = doors.of(meant(1))
    kept.clients.add(guest)
    forgotten = doors.of(meant(2))
    for port in range(3, 200):
        doors.of(meant(port))
    assert doors.of(meant(1)) is kept
    assert doors.of(meant(2)) is not forgotten
