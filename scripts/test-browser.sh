#!/usr/bin/env bash
# Starts the whole system on free ports and a throw-away folder, and books a room and a seat in a real browser, and
# steers a rollout there.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$(mktemp -d)
# Below the range that the system takes ports from by itself, so that nobody else is given them meanwhile.
port() {
    node -e '
        const { createServer } = require("net");
        const next = () => {
            const port = 20000 + Math.floor(Math.random() * 10000);
            const server = createServer().once("error", next);
            server.listen(port, "127.0.0.1", () => server.close(() => console.log(port)));
        };
        next();'
}
public=$(port)
ops=$(port)

target/debug/banyan up --port "$public" --ops-listen "127.0.0.1:$ops" --data "$folder/data" >"$folder/log" 2>&1 &
banyan=$!
finish() {
    local status=$?
    kill "$banyan" 2>/dev/null || true
    wait "$banyan" 2>/dev/null || true
    if [ "$status" -ne 0 ]; then
        echo "--- the last of the log"
        tail -50 "$folder/log"
    fi
    rm -rf "$folder"
    exit "$status"
}
trap finish EXIT

for _ in $(seq 300); do
    if node -e "fetch('http://127.0.0.1:$ops/readyz').then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"; then
        break
    fi
    kill -0 "$banyan" || { echo "banyan up ended"; exit 1; }
    sleep 0.1
done

BASE_URL="http://127.0.0.1:$public" OPS_URL="http://127.0.0.1:$ops" node webui/ui/e2e/booking.e2e.mjs
BASE_URL="http://127.0.0.1:$public" OPS_URL="http://127.0.0.1:$ops" node webui/ui/e2e/rollout.e2e.mjs
