#!/bin/sh
# Renders every overlay and sensible combination of components, and judges each offline: against the schemas of
# Kubernetes and against this project's own rules (rules.py). No cluster is needed. Ends with `N passed, N failed`.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
tools=$root/target/k8s/venv
wanted=$root/kustomize/tests/requirements.txt

command -v kubectl >/dev/null || {
  echo "kubectl is needed: its \`kustomize\` subcommand renders the manifests" >&2
  exit 1
}

# Installed once, and again when the list changes.
if ! cmp -s "$wanted" "$tools/installed.txt"; then
  rm -rf "$tools"
  python3 -m venv "$tools"
  "$tools/bin/pip" install --quiet --disable-pip-version-check --requirement "$wanted"
  cp "$wanted" "$tools/installed.txt"
fi

exec "$tools/bin/python" "$root/kustomize/tests/check.py" "$@"
