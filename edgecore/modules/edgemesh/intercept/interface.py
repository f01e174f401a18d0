"""The interface whose traffic is intercepted: the user's, or one that we make (pure)."""

import msgspec

from edgecore.errors import InterceptError
from edgecore.modules.edgemesh.intercept.keeper.protocol import Command
from edgecore.modules.edgemesh.intercept.script import ALIAS
from edgecore.modules.edgemesh.intercept.settings import InterceptSettings

OWN_INTERFACE = "edgemesh0"
"""The name of an interface that we make, where the user named none."""

LIST_INTERFACES = Command(("ip", "-json", "link", "show"))


class Interface(msgspec.Struct, frozen=True):
    """The interface whose traffic is intercepted."""

    name: str
    made: bool
    """It is ours: there, or to be made."""
    is_there: bool


def chosen_interface(settings: InterceptSettings, known: dict[str, bool]) -> Interface:
    """Return the interface to use; ``known`` are those of the machine, and whether we made them.

    Raises ``InterceptError`` (``no_interface``) if there is none and none is to be made.
    """
    if settings.interface in known:
        return Interface(settings.interface, known[settings.interface], True)
    name = settings.interface if settings.is_named else OWN_INTERFACE
    if name in known:
        return Interface(name, known[name], True)
    if settings.create_interface:
        return Interface(name, True, False)
    raise InterceptError(
        "no_interface",
        f"there is no interface {settings.interface}; set modules.edgeMesh.listenInterface to one that is there"
        " (ip link), or modules.edgeMesh.intercept.createInterface to true",
    )


def kinds(settings: InterceptSettings) -> tuple[str, str]:
    """Return as what an interface is made, and as what on kernels without that type (not all have ``dummy``).

    One that the user named may be that of a program which comes later: Docker goes on with a bridge of its name, and
    fails by anything else.
    """
    return ("bridge", "dummy") if settings.is_named else ("dummy", "bridge")


class _Link(msgspec.Struct):
    ifname: str
    ifalias: str = ""


_LINKS = msgspec.json.Decoder(list[_Link])


def read_interfaces(text: str) -> dict[str, bool]:
    """Return the interfaces in the JSON of ``LIST_INTERFACES``, and whether we made them.

    Raises ``msgspec.DecodeError`` for what is no such JSON.
    """
    return {link.ifname: link.ifalias == ALIAS for link in _LINKS.decode(text)}
