"""The rules that a decoded configuration keeps (``kubeedge .../v1alpha1/validation@v1.3.1``, and ranges of our own).

The settings of a disabled module are not judged, as in Go, except those that other modules use.
"""

from edgecore.config.eventbus import EventBus
from edgecore.config.keys import Section, settings
from edgecore.config.modules import EdgeHub
from edgecore.config.problem import Problem, shown
from edgecore.config.schema import EdgeCoreConfig


def validate(config: EdgeCoreConfig) -> list[Problem]:
    """Return everything that is wrong; nothing in it is a secret."""
    problems = _rules(config, "", enabled=True)
    if config.modules.edge_hub.enable:
        problems += _one_link(config.modules.edge_hub)
    if config.modules.event_bus.enable and config.modules.event_bus.mqtt_mode != 0:
        problems += _external_broker(config.modules.event_bus)
    return problems + _socket(config)


def _rules(section: Section, path: str, *, enabled: bool) -> list[Problem]:
    enabled = enabled and getattr(section, "enable", True)
    problems = []
    for setting in settings(type(section)):
        below = f"{path}.{setting.name}" if path else setting.name
        value = getattr(section, setting.attribute)
        rule = setting.key.rule
        if isinstance(value, Section):
            problems += _rules(value, below, enabled=enabled)
        elif rule is not None and (enabled or setting.key.always) and not rule.accepts(value):
            problems.append(Problem(below, f"found {shown(value)}, allowed: {rule}"))
    return problems


def _one_link(hub: EdgeHub) -> list[Problem]:
    if hub.websocket.enable != hub.quic.enable:
        return []
    found = shown(hub.websocket.enable)
    text = f"found {found} here and in modules.edgeHub.quic.enable, allowed: true in exactly one of them"
    return [Problem("modules.edgeHub.websocket.enable", text)]


def _external_broker(bus: EventBus) -> list[Problem]:
    problems = []
    if bus.mqtt_sub_client_id and bus.mqtt_sub_client_id == bus.mqtt_pub_client_id:
        text = f"found {shown(bus.mqtt_sub_client_id)} here and in modules.eventBus.mqttPubClientID, allowed: two ids"
        problems.append(Problem("modules.eventBus.mqttSubClientID", text))
    if not bus.mqtt_username and (bus.mqtt_password or bus.mqtt_password_file):
        text = f"found {shown(bus.mqtt_username)} beside a password, allowed: whose it is"
        problems.append(Problem("modules.eventBus.mqttUsername", text))
    return problems


def _socket(config: EdgeCoreConfig) -> list[Problem]:
    path = config.control_socket
    if path != config.database.path:
        return []
    return [Problem("control.socket", f"found {shown(str(path))}, which is the database; allowed: another path")]
