"""Renders the cases, judges each, and proves that the judges can say no. Ends with `N passed, N failed`.

Every case is rendered by `kubectl kustomize` from files in git only. A case beyond the overlays is a kustomization
written to `target/k8s/cases`, as somebody who deploys Banyan would write it beside a checkout.
"""

from __future__ import annotations

import copy
import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import yaml

from broken import BROKEN
from model import Manifests
from rules import RULES, Case

ROOT = Path(__file__).resolve().parents[2]
KUSTOMIZE = ROOT / "kustomize"
CASES = ROOT / "target" / "k8s" / "cases"
VERSIONS = ("1.30", "1.37")
PERCENT = {"dev": 50, "staging": 25, "production": 0}
# Kinds whose schemas belong to an operator and not to Kubernetes.
FOREIGN = {"ExternalSecret"}

# (overlay, components on top, services that are absent then)
COMBINATIONS: list[tuple[str, list[str], set[str]]] = [
    ("dev", ["migrate"], set()),
    ("dev", ["without-legacy"], {"legacy"}),
    ("dev", ["without-analytics"], {"analytics-svc"}),
    ("dev", ["without-legacy", "without-analytics"], {"legacy", "analytics-svc"}),
    ("staging", ["external-secrets"], set()),
    ("staging", ["token-keys"], set()),
    ("staging", ["without-legacy"], {"legacy"}),
    ("staging", ["without-analytics"], {"analytics-svc"}),
    ("production", ["external-secrets"], set()),
    ("production", ["without-legacy"], {"legacy"}),
    ("production", ["external-secrets", "token-keys"], set()),
    ("production", ["external-secrets", "without-analytics"], {"analytics-svc"}),
    ("production", ["external-secrets", "without-legacy", "without-analytics"], {"legacy", "analytics-svc"}),
]
# (name, resources, components, absent): without an overlay, for a cluster with databases of its own.
BARE: list[tuple[str, list[str], set[str]]] = [
    ("managed-database", [], set()),
    ("managed-database-without-legacy", ["ingress", "autoscaling", "without-legacy"], {"legacy"}),
    ("managed-database-without-analytics", ["migrate", "without-analytics"], {"analytics-svc"}),
]


class Refused(Exception):
    """kustomize did not render, or complained."""


def render(folder: Path) -> Manifests:
    done = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True, check=False)
    if done.returncode or done.stderr.strip():
        raise Refused(done.stderr.strip() or f"kubectl ended with {done.returncode}")
    return Manifests([doc for doc in yaml.safe_load_all(done.stdout) if doc])


def written(name: str, resources: list[Path], components: list[str], namespace: str) -> Path:
    folder = CASES / name
    folder.mkdir(parents=True, exist_ok=True)
    relative = lambda path: os.path.relpath(path, folder)
    content = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": namespace,
        "resources": [relative(path) for path in resources],
        "components": [relative(KUSTOMIZE / "components" / component) for component in components],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return folder


def cases():
    """Yields names and functions that render them, so that one that fails does not hide the others."""
    for name, percent in PERCENT.items():
        folder = KUSTOMIZE / "overlays" / name
        yield name, lambda f=folder, n=name, p=percent: Case(n, render(f), p, replicated=n != "dev")
    for overlay, components, absent in COMBINATIONS:
        name = "+".join([overlay, *components])
        folder = written(name, [KUSTOMIZE / "overlays" / overlay], components, f"banyan-{overlay}")
        yield name, lambda f=folder, n=name, o=overlay, a=absent: Case(
            n, render(f), PERCENT[o], a, replicated=o != "dev"
        )
    for name, components, absent in BARE:
        overlay = KUSTOMIZE / "overlays" / "dev" / "namespace.yaml"
        folder = CASES / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "namespace.yaml").write_text(overlay.read_text())
        written(name, [folder / "namespace.yaml", KUSTOMIZE / "base"], components, "banyan-dev")
        yield name, lambda f=folder, n=name, a=absent: Case(n, render(f), 0, a, database=False)


def schema(manifests: Manifests) -> list[str]:
    # The same object comes back in most renderings, and judging one takes a while.
    texts = (json.dumps(doc, sort_keys=True) for doc in manifests.docs if doc["kind"] not in FOREIGN)
    return [problem for text in texts for problem in schema_of(text)]


@functools.cache
def schema_of(text: str) -> tuple[str, ...]:
    doc, problems = json.loads(text), []
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(doc, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            where = "".join(f"[{part!r}]" for part in error.path)
            problems.append(f"{doc['kind']}/{doc['metadata']['name']} {where}: {error.message} ({version})")
        except kubernetes_validate.SchemaNotFoundError:
            problems.append(f"{doc['kind']}/{doc['metadata']['name']}: unknown to Kubernetes {version}")
    return tuple(problems)


def judge(case: Case) -> list[str]:
    return schema(case.manifests) + [f"{rule.__name__}: {text}" for rule in RULES for text in rule(case)]


def rejected(model: Case, rule: str, spoil) -> list[str]:
    """Problems of the judge itself: the rule must see what `spoil` did, and see nothing before it."""
    case = Case(model.name, Manifests(copy.deepcopy(model.manifests.docs)), model.percent, {"left-out"}, True)
    judges = {judge.__name__: judge for judge in RULES} | {"schema": lambda case: schema(case.manifests)}
    if found := list(judges[rule](case)):
        return [f"{rule} complains about a good rendering: {found[0]}"]
    spoil(case.manifests)
    return [] if list(judges[rule](case)) else [f"{rule} did not notice it"]


def main() -> int:
    passed, failed, production = 0, 0, None

    def report(name: str, problems: list[str]) -> None:
        nonlocal passed, failed
        passed, failed = passed + (not problems), failed + bool(problems)
        print(f"{'FAIL' if problems else 'ok  '} {name}", *(f"     {problem}" for problem in problems), sep="\n")

    # A base has to stand alone too: whoever needs one service takes one folder.
    for base in sorted(path.parent for path in (KUSTOMIZE / "base").glob("*/kustomization.yaml")):
        try:
            report(f"base {base.name}", schema(render(base)))
        except Refused as error:
            report(f"base {base.name}", [str(error)])
    for name, make in cases():
        try:
            case = make()
            production = case if name == "production" else production
            report(f"render {name}", judge(case))
        except Refused as error:
            report(f"render {name}", [str(error)])
    unbroken = {rule.__name__ for rule in RULES} - {rule for rule, _, _ in BROKEN}
    report("every rule is broken once", [f"{rule} is never broken" for rule in sorted(unbroken)])
    for rule, what, spoil in BROKEN if production else []:
        report(f"refuse {what} ({rule})", rejected(production, rule, spoil))
    for component in sorted((KUSTOMIZE / "components").iterdir()):
        missing = [] if (component / "README.md").is_file() else ["has no README.md"]
        report(f"component {component.name} is described", missing)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
