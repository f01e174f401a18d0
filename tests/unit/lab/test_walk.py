"""The guide's manifests, and what its commands are shown as."""

from edgecore.lab.walk import deployment, service


def test_the_deployment_is_for_one_node_and_has_the_port_of_its_host() -> None:
    pod = deployment("edge-node-b")["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {"kubernetes.io/hostname": "edge-node-b"}
    assert pod["containers"][0]["ports"] == [{"containerPort": 80, "hostPort": 80}]


def test_the_service_leads_from_12345_to_80_of_the_deployments_pods() -> None:
    spec = service()["spec"]
    assert spec["clusterIP"] == "None"
    assert [(port["name"], port["port"], port["targetPort"]) for port in spec["ports"]] == [("http-0", 12345, 80)]
    assert spec["selector"] == deployment("a")["spec"]["selector"]["matchLabels"]
