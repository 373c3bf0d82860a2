"""What Kubernetes would accept and Banyan does not: each rule yields the sentences in which a rendering breaks it.

The schemas say what may be written. These rules say what has to be true together: that a selector finds its pods, that
a name refers to something, that the operators' port stays inside, that a policy lets through what a setting points at.
`broken.py` breaks every rule once, so that none of them is a rule that cannot fail.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Callable, Iterator
from urllib.parse import urlsplit

from model import Manifests, Pod, matches, port_numbers

OPS_PORT = 9000

# What the README's command, the External Secrets operator or the cluster puts there, with the keys that are read.
EXTERNAL_SECRETS = {
    "gateway-database": {"url", "password"},
    "reservation-database": {"url", "password"},
    "analytics-database": {"url", "password"},
    "legacy-database": {"url", "password"},
    "postgres-superuser": {"password"},
    "banyan-ops": {"token"},
    "gateway-steering": {"force-token", "pin-key"},
    "banyan-tls": {"tls.crt", "tls.key"},
}
EXTERNAL_CONFIG_MAPS = {"kube-root-ca.crt"}
# Followed while the pods run.
LIVE = {"rollouts", "token-keys"}
VOLUME_KINDS = {"configMap", "secret", "emptyDir", "projected", "persistentVolumeClaim", "downwardAPI"}


@dataclass
class Case:
    """A rendering and what is expected of it."""

    name: str
    manifests: Manifests
    percent: int
    absent: set[str] = field(default_factory=set)
    replicated: bool = False
    database: bool = True


Rule = Callable[[Case], Iterator[str]]


def no_secret_in_git(case: Case) -> Iterator[str]:
    for doc in case.manifests.of("Secret"):
        yield f"Secret/{doc['metadata']['name']} is rendered; Secrets are made in the cluster"
    texts = [(pod.name, case.manifests.settings(container)) for pod in case.manifests.pods() for container in pod.containers]
    texts += [(f"ConfigMap/{doc['metadata']['name']}", doc.get("data", {})) for doc in case.manifests.of("ConfigMap")]
    for owner, values in texts:
        for key, value in values.items():
            if re.search(r"PASSWORD|TOKEN|SECRET", key, re.I) and not key.endswith("_FILE") and "." not in key:
                yield f"{owner}: {key} is a literal"
            if "\n" not in value and urlsplit(value).password:
                yield f"{owner}: {key} holds a password in a URL"


def restricted(case: Case) -> Iterator[str]:
    for namespace in case.manifests.of("Namespace"):
        if namespace["metadata"]["labels"].get("pod-security.kubernetes.io/enforce") != "restricted":
            yield "the namespace does not enforce the restricted Pod Security Standard"
    for pod in case.manifests.pods():
        context = pod.spec.get("securityContext", {})
        if context.get("runAsNonRoot") is not True or not context.get("runAsUser"):
            yield f"{pod.name} may run as root"
        if context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield f"{pod.name} has no seccomp profile"
        if any(pod.spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")):
            yield f"{pod.name} shares something with its node"
        if pod.spec.get("automountServiceAccountToken") is not False:
            yield f"{pod.name} mounts a token of the Kubernetes API"
        if pod.spec.get("enableServiceLinks") is not False:
            yield f"{pod.name} gets variables that it did not ask for (enableServiceLinks)"
        for volume in pod.spec.get("volumes", []):
            if not (volume.keys() - {"name"}) <= VOLUME_KINDS:
                yield f"{pod.name}: volume {volume['name']} is of a kind that is not allowed"
        for container in pod.containers:
            yield from restricted_container(pod, container)


def restricted_container(pod: Pod, container: dict) -> Iterator[str]:
    context, where = container.get("securityContext", {}), f"{pod.name}: {container['name']}"
    if context.get("allowPrivilegeEscalation") is not False or context.get("privileged"):
        yield f"{where} may gain privileges"
    if context.get("readOnlyRootFilesystem") is not True:
        yield f"{where} may write to its image"
    capabilities = context.get("capabilities", {})
    if capabilities.get("drop") != ["ALL"] or capabilities.get("add"):
        yield f"{where} keeps capabilities"
    if context.get("runAsUser") == 0 or context.get("runAsNonRoot") is False:
        yield f"{where} runs as root"


def resources(case: Case) -> Iterator[str]:
    for pod in case.manifests.pods():
        for container in pod.containers:
            for kind in ("requests", "limits"):
                missing = {"cpu", "memory"} - container.get("resources", {}).get(kind, {}).keys()
                for name in sorted(missing):
                    yield f"{pod.name}: {container['name']} has no {name} in {kind}"


def images(case: Case) -> Iterator[str]:
    for pod in case.manifests.pods():
        for container in pod.containers:
            _, _, tag = container["image"].rpartition("/")[2].partition(":")
            if tag in ("", "latest"):
                yield f"{pod.name}: image {container['image']} names no version"


def probes(case: Case) -> Iterator[str]:
    for pod in filter(lambda pod: pod.serves, case.manifests.pods()):
        for container in pod.spec["containers"]:
            ports = port_numbers(container)
            for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
                probe = container.get(kind)
                if probe is None:
                    yield f"{pod.name}: {container['name']} has no {kind}"
                    continue
                for way in ("httpGet", "tcpSocket", "grpc"):
                    port = probe.get(way, {}).get("port")
                    if port is not None and port not in ports and port not in ports.values():
                        yield f"{pod.name}: {kind} asks port {port}, which the container does not open"
            live = container.get("livenessProbe", {})
            if "grpc" in live or live.get("httpGet", {}).get("path", "/livez") != "/livez":
                yield f"{pod.name}: liveness depends on more than the process"
            if "grpc" in ports and "grpc" not in container.get("readinessProbe", {}):
                yield f"{pod.name}: a gRPC service is asked for its readiness in another way"


def selectors(case: Case) -> Iterator[str]:
    manifests = case.manifests
    for pod in filter(lambda pod: pod.serves, manifests.pods()):
        if not matches(pod.owner["spec"]["selector"]["matchLabels"], pod.labels):
            yield f"{pod.name} does not select its own pods"
        for constraint in pod.spec.get("topologySpreadConstraints", []):
            if not matches(constraint["labelSelector"]["matchLabels"], pod.labels):
                yield f"{pod.name}: a spread constraint counts other pods"
    for service in manifests.of("Service"):
        name, found = service["metadata"]["name"], manifests.selected(service["spec"]["selector"])
        if len(found) != 1 or not found[0].serves:
            yield f"Service/{name} leads to {[pod.name for pod in found]}, not to one workload"
            continue
        ports = {key: value for container in found[0].containers for key, value in port_numbers(container).items()}
        for port in service["spec"]["ports"]:
            target = port.get("targetPort", port["port"])
            if target not in ports and target not in ports.values():
                yield f"Service/{name}: no container opens port {target}"
    for scaler in manifests.of("HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        found = manifests.get(target["kind"], target["name"])
        if found is None:
            yield f"HorizontalPodAutoscaler/{scaler['metadata']['name']} scales nothing"
        elif "replicas" in found["spec"]:
            yield f"{target['kind']}/{target['name']} fixes `replicas`, which its autoscaler changes"


def disruption(case: Case) -> Iterator[str]:
    budgets = case.manifests.of("PodDisruptionBudget")
    for budget in budgets:
        name, spec = budget["metadata"]["name"], budget["spec"]
        if len(case.manifests.selected(spec["selector"]["matchLabels"])) != 1:
            yield f"PodDisruptionBudget/{name} does not guard exactly one workload"
        if spec.get("maxUnavailable") in (None, 0, "0%"):
            yield f"PodDisruptionBudget/{name} can block the draining of a node"
    for pod in filter(lambda pod: pod.serves, case.manifests.pods()):
        if not any(matches(budget["spec"]["selector"]["matchLabels"], pod.labels) for budget in budgets):
            yield f"{pod.name} has no PodDisruptionBudget"
        for container in pod.containers:
            settings = case.manifests.settings(container)
            wanted_ms = sum(int(settings.get(key, 0)) for key in ("SHUTDOWN_UNREADY_WAIT_MS", "SHUTDOWN_GRACE_MS"))
            if wanted_ms >= pod.spec["terminationGracePeriodSeconds"] * 1000:
                yield f"{pod.name} is killed before its shutdown of {wanted_ms} ms is over"


def replicas(case: Case) -> Iterator[str]:
    if not case.replicated:
        return
    for name in ("gateway", "reservation-svc", "webui"):
        workload = case.manifests.get("Deployment", name)
        scaler = case.manifests.get("HorizontalPodAutoscaler", name)
        count = scaler["spec"]["minReplicas"] if scaler else workload["spec"].get("replicas", 1)
        if count < 2:
            yield f"Deployment/{name} runs once, so a lost node is an outage"


def references(case: Case) -> Iterator[str]:
    for pod in case.manifests.pods():
        if case.manifests.get("ServiceAccount", pod.spec.get("serviceAccountName", "default")) is None:
            yield f"{pod.name} names no ServiceAccount of these manifests"
        for kind, name, key in pod_references(pod):
            if kind == "Secret":
                known = EXTERNAL_SECRETS.get(name)
                if known is None or (key and key not in known):
                    yield f"{pod.name} reads Secret {name}/{key or '*'}, which nobody creates"
            elif name not in EXTERNAL_CONFIG_MAPS:
                found = case.manifests.get("ConfigMap", name)
                if found is None or (key and key not in found.get("data", {})):
                    yield f"{pod.name} reads ConfigMap {name}/{key or '*'}, which does not exist"
        volumes = {volume["name"] for volume in pod.spec.get("volumes", [])}
        volumes |= {claim["metadata"]["name"] for claim in pod.owner["spec"].get("volumeClaimTemplates", [])}
        mounted = {mount["name"] for container in pod.containers for mount in container.get("volumeMounts", [])}
        for name in sorted(volumes ^ mounted):
            yield f"{pod.name}: volume {name} is mounted and not there, or there and not mounted"
    for binding in case.manifests.of("RoleBinding"):
        if case.manifests.get("Role", binding["roleRef"]["name"]) is None:
            yield f"RoleBinding/{binding['metadata']['name']} names no Role"


def pod_references(pod: Pod) -> Iterator[tuple[str, str, str | None]]:
    for container in pod.containers:
        for source in container.get("envFrom", []):
            for kind, key in (("ConfigMap", "configMapRef"), ("Secret", "secretRef")):
                if key in source:
                    yield kind, source[key]["name"], None
        for variable in container.get("env", []):
            for kind, key in (("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")):
                if key in variable.get("valueFrom", {}):
                    yield kind, variable["valueFrom"][key]["name"], variable["valueFrom"][key]["key"]
    for volume in pod.spec.get("volumes", []):
        for source in volume.get("projected", {}).get("sources", [volume]):
            for kind, key, name in (("ConfigMap", "configMap", "name"), ("Secret", "secret", "secretName")):
                if key in source:
                    found = source[key].get(name) or source[key]["name"]
                    for item in source[key].get("items", [{}]):
                        yield kind, found, item.get("key")


def ops_stays_inside(case: Case) -> Iterator[str]:
    for service in case.manifests.of("Service"):
        name = service["metadata"]["name"]
        if service["spec"].get("type", "ClusterIP") != "ClusterIP":
            yield f"Service/{name} is published outside of the Ingress"
        for port in service["spec"]["ports"]:
            if {OPS_PORT, "ops"} & {port["port"], port.get("targetPort")}:
                yield f"Service/{name} names the operators' port"
    for ingress in case.manifests.of("Ingress"):
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                backend = path["backend"]["service"]
                if (backend["name"], backend["port"].get("name")) != ("gateway", "http"):
                    yield f"Ingress/{ingress['metadata']['name']} publishes {backend['name']}"
    for policy in case.manifests.of("NetworkPolicy"):
        for rule in policy["spec"].get("ingress") or []:
            ports = [entry.get("port") for entry in rule.get("ports", [{"port": OPS_PORT}])]
            narrow = rule.get("from") and all(peer.keys() == {"podSelector"} for peer in rule["from"])
            if OPS_PORT in ports and not narrow:
                yield f"NetworkPolicy/{policy['metadata']['name']} opens the operators' port beyond the namespace"


def settings(case: Case) -> Iterator[str]:
    found = case.manifests.settings(_gateway(case))
    if found.get("GRADUAL_MIGRATION") not in ("true", "false"):
        yield "GRADUAL_MIGRATION is neither true nor false"
    for pod in filter(lambda pod: pod.serves, case.manifests.pods()):
        for container in pod.containers:
            opened = port_numbers(container).values()
            for key, value in case.manifests.settings(container).items():
                if key.endswith("_LISTEN") and int(value.rpartition(":")[2]) not in opened:
                    yield f"{pod.name}: {key}={value}, a port that the container does not declare"


def rollouts(case: Case) -> Iterator[str]:
    """Percentages reach running pods: as a folder, by a name that stays, and nothing stronger stands before them."""
    gateway = _gateway(case)
    found = case.manifests.settings(gateway)
    folder = found.get("ROLLOUTS_FOLDER")
    mounts = {mount["mountPath"]: mount for mount in gateway.get("volumeMounts", [])}
    mount = mounts.get(folder)
    if mount is None:
        yield f"ROLLOUTS_FOLDER is {folder}, where nothing is mounted"
        return
    if not mount.get("readOnly"):
        yield "the folder of percentages can be written to"
    volumes = case.manifests.get("Deployment", "gateway")["spec"]["template"]["spec"].get("volumes", [])
    name = next((volume.get("configMap", {}).get("name") for volume in volumes if volume["name"] == mount["name"]), None)
    if name != "rollouts":
        yield f"the percentages are in {name}, a name that changes with them or that nobody knows"
    percents = (case.manifests.get("ConfigMap", "rollouts") or {}).get("data", {})
    if percents.get("MOVIES_MIGRATION_PERCENT") != str(case.percent):
        yield f"MOVIES_MIGRATION_PERCENT is {percents.get('MOVIES_MIGRATION_PERCENT')}, not {case.percent}"
    for key, value in percents.items():
        if not re.fullmatch(r"(\d{1,2}(\.\d{1,2})?|100)", value):
            yield f"ConfigMap/rollouts: {key} = {value!r} is no percentage"
        if key in found:
            yield f"{key} is a variable too, which beats the mounted file"


def renewed(case: Case) -> Iterator[str]:
    """What is taken up without a restart has to be mounted so that it changes."""
    for pod in case.manifests.pods():
        live = {volume["name"] for volume in pod.spec.get("volumes", []) if volume.get("configMap", {}).get("name") in LIVE}
        for container in pod.containers:
            for mount in container.get("volumeMounts", []):
                if mount["name"] in live and ("subPath" in mount or "subPathExpr" in mount):
                    yield f"{pod.name}: {mount['mountPath']} is mounted by subPath, which is never renewed"


def steering(case: Case) -> Iterator[str]:
    gateway = _gateway(case)
    for name in ("STEERING_FORCE_TOKEN", "STEERING_PIN_KEY"):
        variable = next((entry for entry in gateway.get("env", []) if entry["name"] == name), {})
        if "secretKeyRef" not in variable.get("valueFrom", {}):
            yield f"{name} does not come from a Secret"
        if name in case.manifests.settings(gateway):
            yield f"{name} is a literal"


def threads(case: Case) -> Iterator[str]:
    """A gateway with more threads than its limit lets run is throttled when it has most to do."""
    gateway = _gateway(case)
    limit = gateway["resources"]["limits"].get("cpu", "0")
    cores = float(limit.removesuffix("m")) / 1000 if limit.endswith("m") else float(limit)
    literal = case.manifests.settings(gateway).get("GATEWAY_THREADS")
    variable = next((entry for entry in gateway.get("env", []) if entry["name"] == "GATEWAY_THREADS"), {})
    field = variable.get("valueFrom", {}).get("resourceFieldRef", {})
    if literal is None and field.get("resource") != "limits.cpu":
        yield "GATEWAY_THREADS does not follow the limit of CPU"
    if field and field.get("divisor", "1") not in ("1", 1, "0"):
        yield "GATEWAY_THREADS counts something else than cores"
    if literal is not None and not 1 <= int(literal) <= max(1, -(-cores // 1)):
        yield f"GATEWAY_THREADS is {literal} with a limit of {limit} CPU"


def _gateway(case: Case) -> dict:
    return case.manifests.get("Deployment", "gateway")["spec"]["template"]["spec"]["containers"][0]


def network(case: Case) -> Iterator[str]:
    manifests = case.manifests
    denial = manifests.get("NetworkPolicy", "default-deny")
    if denial is None or denial["spec"] != {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}:
        yield "nothing denies what no policy allows"
    for pod in manifests.pods():
        if not list(manifests.policies(pod)):
            yield f"{pod.name} has no NetworkPolicy of its own"
        for container in pod.containers:
            values = [*manifests.settings(container).values(), *container.get("command", [])]
            for url in (urlsplit(value) for value in values if value.startswith("http://")):
                yield from reachable(case, pod, url.hostname, url.port)
        if any(name.endswith("-database") and key == "url" for _, name, key in pod_references(pod)) and case.database:
            yield from reachable(case, pod, "postgres", 5432)


def reachable(case: Case, pod: Pod, host: str, port: int) -> Iterator[str]:
    if host in case.absent:
        return
    service = case.manifests.get("Service", host)
    if service is None or port not in [entry["port"] for entry in service["spec"]["ports"]]:
        yield f"{pod.name} is pointed at {host}:{port}, which no Service offers"
    elif not all(case.manifests.allowed(pod, target, port) for target in case.manifests.selected(service["spec"]["selector"])):
        yield f"{pod.name} is pointed at {host}:{port}, and a NetworkPolicy forbids it"


def one_namespace(case: Case) -> Iterator[str]:
    home = {doc["metadata"]["name"] for doc in case.manifests.of("Namespace")}
    for doc in case.manifests.docs:
        if doc["kind"] != "Namespace" and {doc["metadata"].get("namespace")} != home:
            yield f"{doc['kind']}/{doc['metadata']['name']} is not in the overlay's namespace"


def left_out(case: Case) -> Iterator[str]:
    for doc in case.manifests.docs:
        if doc["metadata"].get("labels", {}).get("app.kubernetes.io/name") in case.absent:
            yield f"{doc['kind']}/{doc['metadata']['name']} belongs to a service that is left out"
    for pod in case.manifests.pods():
        for kind, name, _ in pod_references(pod):
            if kind == "Secret" and name in {f"{service.removesuffix('-svc')}-database" for service in case.absent}:
                yield f"{pod.name} reads {name}, of a service that is left out"


RULES: list[Rule] = [
    no_secret_in_git, restricted, resources, images, probes, selectors, disruption, replicas, references,
    ops_stays_inside, settings, rollouts, renewed, steering, threads, network, one_namespace, left_out,
]
