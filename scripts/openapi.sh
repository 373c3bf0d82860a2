#!/usr/bin/env bash
# The gateway's OpenAPI documents: checks them by a validator that is not ours, and the UI's types that are generated from
# them. `openapi.sh check` fails when a document is wrong or a generated file is old; `openapi.sh write` renews the files.
set -euo pipefail
cd "$(dirname "$0")/.."

mode=${1:-check}
banyan=${BANYAN:-target/debug/banyan}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true

status=0
for listener in public ops; do
    "$banyan" gateway openapi --listener "$listener" >"$folder/$listener.json"
    if ! tools/node_modules/.bin/redocly lint --config tools/redocly.yaml "$folder/$listener.json" >"$folder/log" 2>&1; then
        cat "$folder/log"
        status=1
    fi
    file=webui/ui/src/shared/api/generated/$listener.ts
    target=$file
    [ "$mode" = write ] || target=$folder/$listener.ts
    webui/ui/node_modules/.bin/openapi-typescript "$folder/$listener.json" --output "$target" >"$folder/log" 2>&1 ||
        { cat "$folder/log"; exit 1; }
    if ! diff -u "$file" "$target" >"$folder/diff"; then
        head -40 "$folder/diff"
        echo "$file is not what the contracts say: run \`make openapi-client\`"
        status=1
    fi
done
exit "$status"
