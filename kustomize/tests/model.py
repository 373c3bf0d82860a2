"""Rendered manifests as the rules look at them: pods, the settings they end up with, and who may talk to whom.

Knows the parts of Kubernetes that these manifests use, and no more: equality selectors, NetworkPolicy peers by pod
label, environment from literals and ConfigMaps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterator

Doc = dict[str, Any]


@dataclass
class Pod:
    """A pod template and the object it belongs to."""

    owner: Doc
    labels: dict[str, str]
    spec: Doc

    @property
    def name(self) -> str:
        return f"{self.owner['kind']}/{self.owner['metadata']['name']}"

    @property
    def containers(self) -> list[Doc]:
        return self.spec.get("initContainers", []) + self.spec["containers"]

    @property
    def serves(self) -> bool:
        """Whether it runs on and on, unlike a Job's pod."""
        return self.owner["kind"] in ("Deployment", "StatefulSet")


class Manifests:
    """All objects of one rendering."""

    def __init__(self, docs: list[Doc]):
        self.docs = docs

    def of(self, *kinds: str) -> list[Doc]:
        return [doc for doc in self.docs if doc["kind"] in kinds]

    def get(self, kind: str, name: str) -> Doc | None:
        return next((doc for doc in self.of(kind) if doc["metadata"]["name"] == name), None)

    def pods(self) -> list[Pod]:
        found = []
        for doc in self.of("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"):
            spec = doc["spec"]["jobTemplate"]["spec"] if doc["kind"] == "CronJob" else doc["spec"]
            template = spec["template"]
            found.append(Pod(doc, template["metadata"].get("labels", {}), template["spec"]))
        return found

    def selected(self, labels: dict[str, str]) -> list[Pod]:
        return [pod for pod in self.pods() if matches(labels, pod.labels)]

    def settings(self, container: Doc) -> dict[str, str]:
        """The container's environment, as far as it is in the manifests (a Secret's values are not)."""
        values: dict[str, str] = {}
        for source in container.get("envFrom", []):
            found = self.get("ConfigMap", source.get("configMapRef", {}).get("name", ""))
            values.update(found.get("data", {}) if found else {})
        for variable in container.get("env", []):
            if "value" in variable:
                values[variable["name"]] = variable["value"]
        return values

    def allowed(self, source: Pod, target: Pod, port: int) -> bool:
        """Whether the policies of both ends let `source` connect to `port` of `target`."""
        leaves = any(
            opens(rule, "to", target, port) for policy in self.policies(source) for rule in policy.get("egress") or []
        )
        enters = any(
            opens(rule, "from", source, port) for policy in self.policies(target) for rule in policy.get("ingress") or []
        )
        return leaves and enters

    def policies(self, pod: Pod) -> Iterator[Doc]:
        """The specs of the policies that select this pod, the one that selects everything left out."""
        for policy in self.of("NetworkPolicy"):
            labels = policy["spec"]["podSelector"].get("matchLabels")
            if labels and matches(labels, pod.labels):
                yield policy["spec"]


def matches(selector: dict[str, str], labels: dict[str, str]) -> bool:
    return bool(selector) and selector.items() <= labels.items()


def opens(rule: Doc, side: str, peer: Pod, port: int) -> bool:
    ports = rule.get("ports")
    if ports is not None and port not in [entry.get("port") for entry in ports]:
        return False
    peers = rule.get(side)
    if peers is None:
        return True
    return any(
        "namespaceSelector" not in entry and matches(entry.get("podSelector", {}).get("matchLabels", {}), peer.labels)
        for entry in peers
    )


def port_numbers(container: Doc) -> dict[str, int]:
    return {port["name"]: port["containerPort"] for port in container.get("ports", [])}
