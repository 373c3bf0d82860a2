// Who is measured doing what.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { envoyProxy, haproxy, nginx } from "./peers.mjs";
import { listening, pinned, start } from "./processes.mjs";

export const CONNECTIONS = 64;
const PORTS = { nginx: 18111, logged: 18112, haproxy: 18113, envoy: [18114, 18115], banyan: 18116, everything: 18117 };
/** Everything but one line a request, which the side with everything on has. */
const QUIET = "info,banyan_gateway::access_log=off";

function gateway(folder, name, port, backend, binary) {
  const values = { folder, name, public: port, ops: port + 100, http: backend.http, grpc: backend.grpc };
  const template = readFileSync("tests/edge-bench/gateway.toml", "utf8");
  const file = join(folder, `${name}.toml`);
  writeFileSync(file, template.replace(/\{(\w+)\}/g, (whole, key) => String(values[key] ?? whole)));
  return [binary, "gateway", "--config", file];
}

/** Starts every proxy before the backend; each is a process of its own. */
export async function startAll(folder, backend, binary) {
  const start_ = async (name, command, ports, env) => {
    const started = start(name, pinned(0, command), env);
    for (const port of [ports].flat()) await listening(started, port);
    return started;
  };
  const ours = (name, port, level) => {
    const command = gateway(folder, name, port, backend, binary);
    return start_(name, command, port, { RUST_LOG: level, LOG_FORMAT: "json" });
  };
  return {
    nginx: await start_("nginx", nginx(folder, PORTS.nginx, backend, false), PORTS.nginx),
    logged: await start_("logged", nginx(folder, PORTS.logged, backend, true), PORTS.logged),
    haproxy: await start_("haproxy", haproxy(folder, PORTS.haproxy, backend), PORTS.haproxy),
    envoy: await start_("envoy", envoyProxy(folder, PORTS.envoy, backend), PORTS.envoy),
    banyan: await ours("banyan", PORTS.banyan, QUIET),
    everything: await ours("everything", PORTS.everything, "info"),
  };
}

/** What is asked of whom. */
export function sides(folder) {
  const [get, post] = [join(folder, "get.lua"), join(folder, "post.lua")];
  const side = (name, process, port, path, script = get) => {
    return { name, process, url: `http://127.0.0.1:${port}${path}`, script };
  };
  const [envoyPlain, envoyGrpc] = PORTS.envoy;
  return [
    side("nginx plain", "nginx", PORTS.nginx, "/plain/items/1"),
    side("banyan plain", "banyan", PORTS.banyan, "/plain/items/1"),
    side("banyan plain, rollout", "banyan", PORTS.banyan, "/before/items/1"),
    side("haproxy plain", "haproxy", PORTS.haproxy, "/plain/items/1"),
    side("envoy plain", "envoy", envoyPlain, "/plain/items/1"),
    side("banyan transcoding", "banyan", PORTS.banyan, "/v1/items/1"),
    side("envoy transcoding", "envoy", envoyGrpc, "/v1/items/1"),
    side("nginx plain, access log", "logged", PORTS.logged, "/plain/items/1"),
    side("banyan everything on", "everything", PORTS.everything, "/after/items/1"),
    side("banyan list of 100", "banyan", PORTS.banyan, "/v1/items"),
    side("envoy list of 100", "envoy", envoyGrpc, "/v1/items"),
    side("nginx POST 10 KB", "nginx", PORTS.nginx, "/plain/orders", post),
    side("banyan POST 10 KB", "banyan", PORTS.banyan, "/v1/orders:echo", post),
    side("envoy POST 10 KB", "envoy", envoyGrpc, "/v1/orders:echo", post),
    side("banyan stream of 20", "banyan", PORTS.banyan, "/v1/items:watch"),
    side("envoy stream of 20", "envoy", envoyGrpc, "/v1/items:watch"),
  ];
}
