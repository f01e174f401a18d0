"""The walk-through of KubeEdge's EdgeMesh guide, with this stub's commands for ``kubectl``; no root, no cluster.

The commands stand here as in the guide, with what they print there. What stands for the containers of the pods are HTTP
servers at the addresses of the two nodes; they are on a port above 1023, as an ordinary user may have it, and the
manifests are changed to that by ``sed``.
"""

import http.server
import os
import re
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from cloudhub_stub.testing.cloud import Cloud
from cloudhub_stub.testing.edge import Edge
from edgecore.demo import probes
from shells import ROOT, Table, environment, install, table, without

NODES = ("edge-node-a", "edge-node-b")
GUIDE = "examples/manifests/edgemesh-guide"
SECOND_GUIDE = "examples/manifests/edge-nginx"
NAME = "nginx-svc.default.svc.cluster.local"
NODE_GRACE_S = 3
GIVE_UP_SOON = (
    "s|^      affinity:|      tolerations: "
    "[{key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 1}]\\n&|"
)
"""Has a pod deleted a second after its node is known to be lost, not five minutes: EdgeMesh, as that of 1.3.1, asks
whether a pod runs, not whether it is ready, so it is then that it stops sending requests there."""
PATIENCE_S = 20.0

GET_NODES = """
NAME          STATUS     ROLES    AGE   VERSION
edge-node-a   Ready      edge     25m   v1.15.3-kubeedge-v1.1.0-beta.0.358+0b7ac7172442b5-dirty
edge-node-b   Ready      edge     25m   v1.15.3-kubeedge-v1.1.0-beta.0.358+0b7ac7172442b5-dirty
"""
GET_PODS = """
NAME                                READY   STATUS    RESTARTS   AGE   IP           NODE          NOMINATED NODE   READINESS GATES
nginx-deployment-54bf9847f8-sxk94   1/1     Running   0          14m   172.17.0.2   edge-node-b   <none>           <none>
"""  # noqa: E501 - as it was printed
GET_SERVICE = """
NAME         TYPE        CLUSTER-IP   EXTERNAL-IP   PORT(S)     AGE
nginx-svc    ClusterIP   None         <none>        12345/TCP   77m
"""
GET_ENDPOINTS = """
NAME         ENDPOINTS            AGE
nginx-svc    172.17.0.2:80        81m
"""
CREATE_SERVICE = """cat <<EOF | kubectl apply -f -
apiVersion: v1
kind: Service
metadata:
  name: nginx-svc
  namespace: default
spec:
  clusterIP: None
  selector:
    app: nginx
  ports:
    - name: http-0
      port: 12345
      protocol: TCP
      targetPort: 80
EOF"""


class Page(http.server.BaseHTTPRequestHandler):
    """Answers as the nginx of a fresh container does, and says which one it is."""

    def do_GET(self) -> None:
        host, port = self.connection.getsockname()
        body = f"<!DOCTYPE html>\n<title>Welcome to nginx!</title>\n<!-- {host}:{port} -->\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 - the name in http.server


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = False  # so that closing waits for them


class Walk:
    """A cloud with the two nodes of the guide, and a shell in which ``cloudhub-stub`` and ``edgecore`` are commands."""

    def __init__(self, place: Path, cloud: Cloud, new_port: Callable[[], int]) -> None:
        self.cloud = cloud
        self.new_port = new_port
        self.port = new_port()
        """What the manifests' ``hostPort`` becomes."""
        self._servers: dict[tuple[str, int], tuple[Server, threading.Thread]] = {}
        programs = place / "bin"
        install(programs)
        state = place / "state"
        state.mkdir()
        (state / "cloudhub-stub").symlink_to(cloud.stub.directory)
        path = f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        self._env = environment(XDG_STATE_HOME=str(state), PATH=path)

    def sh(self, line: str, code: int = 0) -> str:
        """Run a line of the guide in a shell, see that it ends with ``code``, and return what it prints."""
        line = line.replace("kubectl", "cloudhub-stub")
        how: dict[str, Any] = {"capture_output": True, "text": True, "timeout": PATIENCE_S}
        done = subprocess.run(["/bin/sh", "-c", line], cwd=ROOT, env=self._env, check=False, **how)
        assert done.returncode == code, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout

    def apply(self, path: str, *changes: str) -> str:
        """Apply a manifest as it would be edited, with the port of an ordinary user, and return what is printed."""
        edits = "; ".join([f"s/hostPort: 80 *\\(#.*\\)\\?$/hostPort: {self.port}/", *changes])
        return self.sh(f"sed '{edits}' {path} | kubectl apply -f -")

    def rows(self, line: str) -> Table:
        return table(self.sh(line))

    def wait_for(self, line: str, look: Callable[[Table], bool]) -> Table:
        """Run a command that prints a table until that is as ``look`` wants it, and return it."""
        return self.cloud.wait_for(lambda _: (rows := self.rows(line)) and look(rows) and rows, PATIENCE_S, line)

    # The containers of the pods, and who asks them.

    def start_containers(self, *edges: Edge) -> None:
        """Let something answer at the port of nodes; of all, if none are named."""
        for edge in edges or self.cloud.edges:
            server = Server((edge.address, self.port), Page)
            thread = threading.Thread(target=server.serve_forever, args=(0.02,))
            thread.start()
            self._servers[edge.address, self.port] = (server, thread)

    def stop_containers(self, edge: Edge | None = None) -> None:
        """Let nothing answer any more, at one node or at all."""
        for place in [place for place in self._servers if edge is None or place[0] == edge.address]:
            server, thread = self._servers.pop(place)
            server.shutdown()
            thread.join()
            server.server_close()

    def answer(self, edge: Edge, url: str = f"http://{NAME}:12345/") -> str:
        """Ask for a page on a node, by the name of the service; return the place in the page. Fails for any other."""
        said = probes.get(edge.proxy, url, url.split("/")[2])
        assert said.status == 200, said
        return place_of(said.body)

    def answers(self, edge: Edge, number: int = 4) -> set[str]:
        return {self.answer(edge) for _ in range(number)}

    def places(self, *edges: Edge) -> set[str]:
        """Return where the containers of nodes are."""
        return {f"{edge.address}:{self.port}" for edge in edges}


def place_of(page: str) -> str:
    assert "<title>Welcome to nginx!</title>" in page
    found = re.search(r"<!-- (.*) -->", page)
    assert found is not None
    return found[1]


def names_like(rows: Table, pattern: str) -> bool:
    return all(re.fullmatch(pattern, row["NAME"]) for row in rows)


@pytest.fixture
def walk(free_port: Callable[[], int]) -> Iterator[Walk]:
    """Not below ``tmp_path``: the path of a control socket may not be long."""
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="guide-")))
        cloud = stack.enter_context(Cloud.start(place, edges=NODES, args=["--node-grace", str(NODE_GRACE_S)]))
        walk = Walk(place, cloud, free_port)
        stack.callback(walk.stop_containers)
        yield walk
        cloud.wait_for(lambda _: cloud.ledger()["unexplained"] == 0)


def states(rows: Table) -> list[str]:
    return sorted(row["STATUS"] for row in rows)


def running(number: int) -> Callable[[Table], bool]:
    """Return whether so many pods run, and no others are there."""
    return lambda rows: len(rows) == number and all(row["STATUS"] == "Running" for row in rows)


def test_the_commands_of_the_guide_print_what_they_print_there(walk: Walk) -> None:
    # The guide's cloud was a KubeEdge 1.1 with a Kubernetes master beside it; edges of 1.3.1 have a second role.
    nodes, told = walk.rows("kubectl get nodes"), table(GET_NODES)
    assert without(nodes, "ROLES", "AGE", "VERSION") == without(told, "ROLES", "AGE", "VERSION")
    assert {row["ROLES"] for row in nodes} == {"agent,edge"}
    assert {row["VERSION"] for row in nodes} == {"v1.17.1-kubeedge-v1.3.1"}
    assert list(nodes[0]) == list(told[0])

    assert walk.sh(f"kubectl apply -f {GUIDE}/deployment.yaml") == "deployment.apps/nginx-deployment created\n"
    pods, told = walk.wait_for("kubectl get pods -o wide", running(1)), table(GET_PODS)
    assert without(pods, "NAME", "AGE", "NODE") == without(told, "NAME", "AGE", "NODE")
    assert list(pods[0]) == list(told[0])
    assert names_like(pods + told, r"nginx-deployment-[a-z0-9]{10}-[a-z0-9]{5}")
    assert pods[0]["NODE"] in NODES

    assert walk.sh(CREATE_SERVICE) == "service/nginx-svc created\n"
    service, told = walk.rows("kubectl get service"), table(GET_SERVICE)
    assert without(service, "AGE") == without(told, "AGE")
    endpoints, told = walk.rows("kubectl get endpoints"), table(GET_ENDPOINTS)
    assert without(endpoints, "AGE", "ENDPOINTS") == without(told, "AGE", "ENDPOINTS")
    assert endpoints[0]["ENDPOINTS"] == f"{pods[0]['IP']}:80"
    assert walk.sh(f"kubectl apply -f {GUIDE}/service.yaml") == "service/nginx-svc unchanged\n"


def deploy(walk: Walk) -> Edge:
    """Apply the guide's manifests with a port of our own; return the node of the pod, once either node knows it."""
    walk.start_containers()
    assert walk.apply(f"{GUIDE}/deployment.yaml") == "deployment.apps/nginx-deployment created\n"
    walk.sh(CREATE_SERVICE)
    (pod,) = walk.wait_for("kubectl get pods -o wide", running(1))
    there = walk.cloud.edge(pod["NODE"])
    wait_for_backends(walk, there)
    return there


def wait_for_backends(walk: Walk, *edges: Edge) -> None:
    """Wait until either node sends requests to the containers of these, and to no others."""

    def look(_cloud: Cloud) -> bool:
        for edge in walk.cloud.edges:
            if edge.running:
                backends = {each["endpoint"] for each in edge.service("nginx-svc")["backends"]} - {None}
                assert backends == walk.places(*edges)
        return True

    walk.cloud.wait_for(look, PATIENCE_S, f"requests to {walk.places(*edges)} alone")


@pytest.mark.needs_curl
@pytest.mark.needs_dig
def test_curl_and_dig_of_the_service_s_name_are_answered_on_either_node(walk: Walk) -> None:
    there = deploy(walk)
    for edge in walk.cloud.edges:
        on_the_node = f'eval "$(edgecore env --config {edge.config})" && '
        page = walk.sh(f"{on_the_node}curl -sS http://{NAME}:12345")
        assert {place_of(page)} == walk.places(there)

        host, port = edge.dns
        address = walk.sh(f"dig @{host} -p {port} {NAME} +short").strip()
        assert address == edge.service("nginx-svc")["fake_ip"]
        page = walk.sh(f"curl -sS --resolve {NAME}:12345:{address} http://{NAME}:12345")
        assert {place_of(page)} == walk.places(there)


def test_a_service_answers_through_scaling_update_loss_and_return_of_a_node_until_it_is_deleted(walk: Walk) -> None:
    deploy(walk)
    a, b = walk.cloud.edges

    scaled = walk.sh("kubectl scale deployment nginx-deployment --replicas 2")
    assert scaled == "deployment.apps/nginx-deployment scaled\n"
    pods = walk.wait_for("kubectl get pods -o wide", running(2))
    assert {row["NODE"] for row in pods} == set(NODES)
    wait_for_backends(walk, a, b)
    assert walk.answers(a) == walk.answers(b) == walk.places(a, b)

    # A port of a host is for one pod: with the old port, the first new one would wait for an old one to go.
    before, walk.port = walk.port, walk.new_port()
    walk.start_containers()
    changes = ("s/nginx:1.15.4/nginx:1.17/", "s/replicas: 1/replicas: 2/", GIVE_UP_SOON)
    updated = walk.apply(f"{GUIDE}/deployment.yaml", *changes)
    assert updated == "deployment.apps/nginx-deployment configured\n"

    def look(_cloud: Cloud) -> bool:
        assert all(walk.answer(edge) for edge in (a, b))
        (deployment,) = walk.rows("kubectl get deployment nginx-deployment")
        new = walk.rows("kubectl get pods")
        return deployment["UP-TO-DATE"] == deployment["AVAILABLE"] == "2" and running(2)(new)

    walk.cloud.wait_for(look, PATIENCE_S, "the update rolled out, with an answer at any time")
    assert not {row["NAME"] for row in walk.rows("kubectl get pods")} & {row["NAME"] for row in pods}
    wait_for_backends(walk, a, b)
    assert not {f"{edge.address}:{before}" for edge in (a, b)} & walk.answers(a)

    b.kill()
    walk.stop_containers(b)
    lost = walk.wait_for("kubectl get nodes", lambda rows: rows[1]["STATUS"] == "NotReady")
    assert lost[0]["STATUS"] == "Ready"
    (endpoints,) = walk.wait_for("kubectl get endpoints", lambda rows: "," not in rows[0]["ENDPOINTS"])
    assert endpoints["ENDPOINTS"].endswith(":80")
    # The other pod is given up; the one in its place waits, since the port of the host that is left is taken.
    walk.wait_for("kubectl get pods", lambda rows: states(rows) == ["Pending", "Running", "Terminating"])
    wait_for_backends(walk, a)
    assert walk.answers(a) == walk.places(a)

    b.start()
    walk.start_containers(b)
    walk.wait_for("kubectl get nodes", lambda rows: rows[1]["STATUS"] == "Ready")
    back = walk.wait_for("kubectl get pods -o wide", running(2))
    assert {row["NODE"] for row in back} == set(NODES)
    wait_for_backends(walk, a, b)
    assert walk.answers(a) == walk.answers(b) == walk.places(a, b)

    gone = walk.sh(f"kubectl delete -f {GUIDE}")
    assert gone == 'deployment.apps "nginx-deployment" deleted\nservice "nginx-svc" deleted\n'
    assert walk.rows("kubectl get all") == []
    walk.cloud.wait_for_settled()
    for edge in (a, b):
        assert not [key for key in edge.store() if re.search("/(service|endpoints|pod|podlist)/", key)]
        assert probes.get(edge.proxy, f"http://{NAME}:12345/", f"{NAME}:12345").status == 503


def test_the_manifests_of_the_second_guide_run_as_they_are(walk: Walk) -> None:
    applied = walk.sh(f"kubectl apply -f {SECOND_GUIDE}")
    assert applied == "deployment.apps/edge-nginx created\nservice/edge-nginx created\n"
    (pod,) = walk.wait_for("kubectl get pods -l app=edge-nginx -o wide", running(1))
    assert pod["NODE"] in NODES
    (endpoints,) = walk.wait_for("kubectl get endpoints edge-nginx", lambda rows: rows[0]["ENDPOINTS"] != "<none>")
    assert endpoints["ENDPOINTS"] == f"{pod['IP']}:80"

    walk.start_containers()
    assert walk.apply(f"{SECOND_GUIDE}/deployment.yaml") == "deployment.apps/edge-nginx configured\n"
    for edge in walk.cloud.edges:
        walk.cloud.wait_for(
            lambda _, edge=edge: walk.answer(edge, "http://edge-nginx.default.svc.cluster.local:18080/"), PATIENCE_S
        )
