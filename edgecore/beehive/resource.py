"""Operations, resource types and resource paths: the words that travel, in one place.

Sources: ``kubeedge BH/core/model/message.go:10-25@v1.3.1``, ``common/constants/default.go:101-124@v1.3.1``,
``BH/common/util/parse_resource.go:12@v1.3.1``.
"""

from typing import NamedTuple

# Operations of the message model.
INSERT = "insert"
DELETE = "delete"
QUERY = "query"
UPDATE = "update"
RESPONSE = "response"
ERROR = "error"

# Operations seen on the wire or between modules beside those.
KEEPALIVE = "keepalive"
GET = "get"
PUBLISH = "publish"
SUBSCRIBE = "subscribe"
UNSUBSCRIBE = "unsubscribe"
MESSAGE = "message"
GET_RESULT = "get_result"
UPLOAD = "upload"
META_INTERNAL_SYNC = "meta-internal-sync"
ACTION = "action"
ACTION_RESULT = "action_result"
CREATE_VOLUME = "createvolume"
DELETE_VOLUME = "deletevolume"
CONTROLLER_PUBLISH_VOLUME = "controllerpublishvolume"
CONTROLLER_UNPUBLISH_VOLUME = "controllerunpublishvolume"
VOLUME_OPERATIONS = frozenset(
    {CREATE_VOLUME, DELETE_VOLUME, CONTROLLER_PUBLISH_VOLUME, CONTROLLER_UNPUBLISH_VOLUME},
)

# Operations of the transport below the messages; no module may use them (kubeedge VD/conn/ws.go:69-94@v1.3.1).
CONTROL_OPERATIONS = frozenset({"config", "ping", "pong"})

# Resource types.
POD = "pod"
CONFIGMAP = "configmap"
SECRET = "secret"  # noqa: S105 - a resource type, not a password
NODE = "node"
PODLIST = "podlist"
PODSTATUS = "podstatus"
NODESTATUS = "nodestatus"
SERVICE = "service"
SERVICELIST = "servicelist"
ENDPOINTS = "endpoints"
ENDPOINTSLIST = "endpointslist"
LISTENER = "listener"
PERSISTENT_VOLUME = "persistentvolume"
PERSISTENT_VOLUME_CLAIM = "persistentvolumeclaim"
VOLUME_ATTACHMENT = "volumeattachment"
VOLUME = "volume"

# Module names and groups (spec 1.4: the module name of EdgeHub is "websocket").
EDGEHUB = "websocket"
LINK = "edgehub"
"""The source of the news of the link, which EdgeHub tells; its module name is another."""
METAMANAGER = "metaManager"
EDGED = "edged"
EDGEMESH = "edgemesh"
TWIN = "twin"
EVENTBUS = "eventbus"
SERVICEBUS = "servicebus"
BUS = "bus"
"""The source of what EventBus hands on; its module name is ``eventbus``."""
EDGECONTROLLER = "edgecontroller"
DEVICECONTROLLER = "devicecontroller"
ROUTER_REST = "router_rest"
GROUP_HUB = "hub"
GROUP_META = "meta"
GROUP_EDGED = "edged"
GROUP_MESH = "mesh"
GROUP_TWIN = "twin"
GROUP_BUS = "bus"
GROUP_RESOURCE = "resource"
GROUP_FUNC = "func"
GROUP_USER = "user"

# Contents and resources with a fixed text.
OK = "OK"
PING = "ping"
CLOUD_CONNECTED = "cloud_connected"
CLOUD_DISCONNECTED = "cloud_disconnected"
NODE_CONNECTION = "node/connection"
ALL_NAMESPACES = "all"


class EdgeResource(NamedTuple):
    """``<namespace>/<type>[/<name>]``, as resources are written on the edge. ``name`` is empty where there is none."""

    namespace: str
    type: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.namespace}/{self.type}/{self.name}" if self.name else f"{self.namespace}/{self.type}"


def parse_edge(resource: str) -> EdgeResource | None:
    """Split an edge resource; ``None`` where it has not two or three parts.

    Never raises, whatever the operation (the Go parser indexes out of range on a query with one part).
    """
    parts = resource.split("/")
    if len(parts) == 3:
        return EdgeResource(*parts)
    if len(parts) == 2:
        return EdgeResource(parts[0], parts[1])
    return None
