"""Renderings that are wrong on purpose: one or more for every rule, and one for the schemas."""

from __future__ import annotations

from typing import Any, Callable

from model import Doc, Manifests


def _pod(m: Manifests, name: str = "gateway") -> Doc:
    return m.get("Deployment", name)["spec"]["template"]["spec"]


def _container(m: Manifests, name: str = "gateway") -> Doc:
    return _pod(m, name)["containers"][0]


def _config(m: Manifests) -> dict[str, str]:
    return m.get("ConfigMap", _container(m)["envFrom"][0]["configMapRef"]["name"])["data"]


def _percents(m: Manifests) -> dict[str, str]:
    return m.get("ConfigMap", "rollouts")["data"]


def _env(m: Manifests, name: str, **source: Any) -> None:
    """Gives a variable another source, or none."""
    container = _container(m)
    container["env"] = [entry for entry in container["env"] if entry["name"] != name]
    if source:
        container["env"].append({"name": name, **source})


def _policy(m: Manifests, name: str) -> Doc:
    return m.get("NetworkPolicy", name)["spec"]


def _secret(m: Manifests) -> None:
    m.docs.append({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "namespace": "banyan-production"}})


def _no_hpa_bound(m: Manifests) -> None:
    m.get("HorizontalPodAutoscaler", "gateway")["spec"]["minReplicas"] = 1


def _ops_service(m: Manifests) -> None:
    m.get("Service", "gateway")["spec"]["ports"].append({"name": "ops", "port": 9000, "targetPort": "ops"})


def _leftover(m: Manifests) -> None:
    m.docs.append({"kind": "ConfigMap", "metadata": {"name": "x", "namespace": "banyan-production",
                                                     "labels": {"app.kubernetes.io/name": "left-out"}}})


# (rule, what is broken, how)
BROKEN: list[tuple[str, str, Callable[[Manifests], Any]]] = [
    ("no_secret_in_git", "a rendered Secret", _secret),
    ("no_secret_in_git", "a literal token", lambda m: _config(m).update(OPS_TOKEN="abc")),
    ("no_secret_in_git", "a password in a URL", lambda m: _config(m).update(X_URL="postgres://a:b@c/d")),
    ("restricted", "a lax namespace", lambda m: m.of("Namespace")[0]["metadata"]["labels"].clear()),
    ("restricted", "a root user", lambda m: _pod(m)["securityContext"].pop("runAsNonRoot")),
    ("restricted", "a writable image", lambda m: _container(m)["securityContext"].pop("readOnlyRootFilesystem")),
    ("restricted", "a kept capability", lambda m: _container(m)["securityContext"].pop("capabilities")),
    ("restricted", "a host path", lambda m: _pod(m).update(volumes=[{"name": "v", "hostPath": {"path": "/"}}])),
    ("restricted", "a mounted token", lambda m: _pod(m).pop("automountServiceAccountToken")),
    ("resources", "no memory limit", lambda m: _container(m)["resources"]["limits"].pop("memory")),
    ("images", "an image without a version", lambda m: _container(m).update(image="host:5000/banyan")),
    ("images", "the latest image", lambda m: _container(m).update(image="banyan:latest")),
    ("probes", "no readiness", lambda m: _container(m).pop("readinessProbe")),
    ("probes", "liveness asks a database", lambda m: _container(m)["livenessProbe"]["httpGet"].update(path="/readyz")),
    ("probes", "a probe of a closed port", lambda m: _container(m)["livenessProbe"]["httpGet"].update(port=81)),
    ("probes", "HTTP readiness of gRPC", lambda m: _container(m, "reservation-svc").update(
        readinessProbe={"httpGet": {"path": "/readyz", "port": "ops"}})),
    ("selectors", "a Service that finds nobody", lambda m: m.get("Service", "webui")["spec"].update(selector={"a": "b"})),
    ("selectors", "a Service that finds everybody", lambda m: m.get("Service", "webui")["spec"].update(
        selector={"app.kubernetes.io/part-of": "banyan"})),
    ("selectors", "a port nobody opens", lambda m: m.get("Service", "webui")["spec"]["ports"][0].update(targetPort=1)),
    ("selectors", "a stray Deployment selector", lambda m: m.get("Deployment", "webui")["spec"]["selector"].update(
        matchLabels={"a": "b"})),
    ("selectors", "replicas beside an autoscaler", lambda m: m.get("Deployment", "gateway")["spec"].update(replicas=2)),
    ("disruption", "a budget that blocks", lambda m: m.get("PodDisruptionBudget", "webui")["spec"].update(maxUnavailable=0)),
    ("disruption", "no budget", lambda m: m.docs.remove(m.get("PodDisruptionBudget", "webui"))),
    ("disruption", "killed while draining", lambda m: _pod(m).update(terminationGracePeriodSeconds=25)),
    ("replicas", "a single gateway", _no_hpa_bound),
    ("references", "an unknown ConfigMap", lambda m: _container(m)["envFrom"][0]["configMapRef"].update(name="nobody")),
    ("references", "an unknown Secret key", lambda m: _container(m)["env"][0]["valueFrom"]["secretKeyRef"].update(key="x")),
    ("references", "an unknown account", lambda m: _pod(m).update(serviceAccountName="nobody")),
    ("references", "a volume nobody mounts", lambda m: _pod(m).update(volumes=[{"name": "v", "emptyDir": {}}])),
    ("ops_stays_inside", "a load balancer", lambda m: m.get("Service", "gateway")["spec"].update(type="LoadBalancer")),
    ("ops_stays_inside", "a Service on the ops port", _ops_service),
    ("ops_stays_inside", "an Ingress elsewhere", lambda m: m.of("Ingress")[0]["spec"]["rules"][0]["http"]["paths"][0]
        ["backend"]["service"].update(name="webui")),
    ("ops_stays_inside", "an open ops port", lambda m: _policy(m, "gateway")["ingress"][1].pop("from")),
    ("settings", "a migration that is neither on nor off", lambda m: _config(m).update(GRADUAL_MIGRATION="maybe")),
    ("settings", "an undeclared port", lambda m: _config(m).update(OPS_LISTEN="0.0.0.0:9100")),
    ("rollouts", "another percentage", lambda m: _percents(m).update(MOVIES_MIGRATION_PERCENT="7")),
    ("rollouts", "no percentage", lambda m: _percents(m).pop("MOVIES_MIGRATION_PERCENT")),
    ("rollouts", "a percentage above 100", lambda m: _percents(m).update(OTHER_PERCENT="150")),
    ("rollouts", "a variable that beats the file", lambda m: _config(m).update(MOVIES_MIGRATION_PERCENT="0")),
    ("rollouts", "no folder", lambda m: _config(m).pop("ROLLOUTS_FOLDER")),
    ("rollouts", "a folder elsewhere", lambda m: _config(m).update(ROLLOUTS_FOLDER="/rollouts")),
    ("rollouts", "a folder to write to", lambda m: _container(m)["volumeMounts"][0].pop("readOnly")),
    ("rollouts", "a name with a hash", lambda m: _pod(m)["volumes"][0]["configMap"].update(name="rollouts-5d4f")),
    ("renewed", "a mount that never changes", lambda m: _container(m)["volumeMounts"][0].update(subPath="x")),
    ("steering", "a literal key", lambda m: _env(m, "STEERING_PIN_KEY", value="abc")),
    ("steering", "no force token", lambda m: _env(m, "STEERING_FORCE_TOKEN")),
    ("threads", "more threads than cores", lambda m: _env(m, "GATEWAY_THREADS", value="8")),
    ("threads", "threads of the whole node", lambda m: _env(m, "GATEWAY_THREADS")),
    ("threads", "thousandths of cores", lambda m: _env(m, "GATEWAY_THREADS", valueFrom={
        "resourceFieldRef": {"resource": "limits.cpu", "divisor": "1m"}})),
    ("network", "no default", lambda m: m.docs.remove(m.get("NetworkPolicy", "default-deny"))),
    ("network", "no policy", lambda m: m.docs.remove(m.get("NetworkPolicy", "webui"))),
    ("network", "a shut door", lambda m: _policy(m, "webui").update(ingress=[])),
    ("network", "no way out", lambda m: _policy(m, "gateway").update(egress=[])),
    ("network", "a wrong address", lambda m: _config(m).update(WEBUI_URL="http://web:8002")),
    ("network", "a database out of reach", lambda m: _policy(m, "postgres").update(ingress=[])),
    ("one_namespace", "an object elsewhere", lambda m: m.get("Service", "webui")["metadata"].update(namespace="x")),
    ("left_out", "a leftover", _leftover),
    ("schema", "a field that does not exist", lambda m: _pod(m).update(restartPolicies="Always")),
    ("schema", "a number as text", lambda m: m.get("Service", "webui")["spec"]["ports"][0].update(port="many")),
]
