"""The Kubernetes manifests against the schema of Kubernetes, and against the service as it is."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from triage.config import load

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "kubernetes"
FILES = sorted(path for path in FOLDER.glob("*.yaml") if path.name != "kustomization.yaml")
ALL: list[dict[str, Any]] = [one for path in FILES for one in yaml.safe_load_all(path.read_text())]
ROLES = ("intake", "worker", "web", "scheduler", "publisher")


def of(kind: str) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one for one in ALL if one["kind"] == kind}


DEPLOYMENTS = of("Deployment")
CONTAINERS = {name: one["spec"]["template"]["spec"]["containers"][0] for name, one in (DEPLOYMENTS | of("Job")).items()}


def labels(one: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = one["spec"]["template"]["metadata"]["labels"]
    return found


def chosen(selector: dict[str, str]) -> list[str]:
    """The deployments whose pods a selector takes."""
    return [name for name, one in DEPLOYMENTS.items() if selector.items() <= labels(one).items()]


def test_kubernetes_takes_them() -> None:
    program = Path(sys.executable).parent / "kubernetes-validate"
    done = subprocess.run([program, "--strict", "--quiet", *FILES], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stdout + done.stderr


def test_the_settings_are_the_service_s(tmp_path: Path) -> None:
    given = of("ConfigMap")["triage-settings"]["data"] | {"TRIAGE_NODE": "triage-web-5d4f", "TRIAGE_HOME": str(tmp_path)}
    given["TRIAGE_DATABASE_URL"] = of("Secret")["triage-database"]["stringData"]["url"]
    settings = load(environment=given)
    assert settings.dimse.host == settings.web.host == "0.0.0.0"
    assert len(settings.dimse.allowed_peers) == 2
    assert settings.web.public_url.startswith("https://")


@pytest.mark.parametrize("role", ROLES)
def test_each_role_stands_apart(role: str) -> None:
    one, container = DEPLOYMENTS[f"triage-{role}"], CONTAINERS[f"triage-{role}"]
    assert container["args"] == ["serve", role]
    for probe in ("startupProbe", "livenessProbe"):
        assert container[probe]["exec"]["command"] == ["triage", "alive", role]
    variables = {variable["name"]: variable["valueFrom"] for variable in container["env"]}
    assert variables["TRIAGE_NODE"]["fieldRef"]["fieldPath"] == "metadata.name"
    assert chosen(one["spec"]["selector"]["matchLabels"]) == [f"triage-{role}"]
    assert chosen(of("PodDisruptionBudget")[f"triage-{role}"]["spec"]["selector"]["matchLabels"]) == [f"triage-{role}"]
    scaled = of("HorizontalPodAutoscaler").get(f"triage-{role}", {"spec": {}})["spec"]
    assert one["spec"].get("replicas", scaled.get("minReplicas")) >= 2, "one may fail"


def test_a_worker_that_is_away_takes_no_list_away() -> None:
    assert CONTAINERS["triage-web"]["readinessProbe"]["httpGet"]["path"] == "/livez"


@pytest.mark.parametrize("name", CONTAINERS)
def test_nothing_runs_with_rights_that_it_does_not_need(name: str) -> None:
    pod = (DEPLOYMENTS | of("Job"))[name]["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert CONTAINERS[name]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"cpu", "memory"} <= CONTAINERS[name]["resources"]["requests"].keys()
    assert "memory" in CONTAINERS[name]["resources"]["limits"]
    assert {mount["name"] for mount in CONTAINERS[name]["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}


def test_one_image_everywhere() -> None:
    (image,) = {container["image"] for container in CONTAINERS.values()}
    assert image.rpartition(":")[2] not in ("", "latest")


def test_each_port_has_a_service_and_a_policy() -> None:
    ports = {port["name"]: name for name, one in CONTAINERS.items() for port in one.get("ports", [])}
    served = {
        port["targetPort"]: chosen(one["spec"]["selector"]) for one in of("Service").values() for port in one["spec"]["ports"]
    }
    assert served == {port: [name] for port, name in ports.items()}
    policies = of("NetworkPolicy").values()
    let_in = {
        port["port"]: chosen(one["spec"]["podSelector"]["matchLabels"])
        for one in policies
        for rule in one["spec"].get("ingress", [])
        for port in rule["ports"]
    }
    assert let_in == served
    assert [one["metadata"]["name"] for one in policies if one["spec"]["podSelector"] == {}] == ["nothing"]
    (addresses,) = (one["data"] for one in of("ConfigMap").values())
    numbers = {port["name"]: str(port["containerPort"]) for one in CONTAINERS.values() for port in one.get("ports", [])}
    assert numbers == {"dicom": addresses["TRIAGE_DIMSE__PORT"], "http": addresses["TRIAGE_WEB__PORT"]}


def test_what_is_applied_is_there() -> None:
    resources = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"]
    assert {path.name for path in FILES} - set(resources) == {"migrate.yaml", "publisher.yaml"}
    assert set(resources) <= {path.name for path in FILES}
