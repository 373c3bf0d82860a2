// The two ends of a measurement: wrk in front, the cheap backend behind.
import { execFile, execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

import { listening, pinned, start } from "./processes.mjs";

const TOOL = join(process.env.CARGO_TARGET_DIR ?? "target", "dist/banyan-edge-bench");

/** What wrk has seen, as one line of JSON. */
const REPORT = `
done = function(summary, latency)
  local errors = summary.errors
  print(string.format(
    '{"requests": %d, "seconds": %f, "errors": %d, "p50_ms": %f, "p99_ms": %f}',
    summary.requests, summary.duration / 1e6,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
`;

export const PORTS = { http: 18101, grpc: 18102 };

/** Starts the backend, and writes what the sides need into the folder. */
export async function backend(folder) {
  execFileSync(TOOL, ["files", folder]);
  writeFileSync(join(folder, "get.lua"), REPORT);
  const post = [
    `local body = io.open("${folder}/order.json"):read("*a")`,
    'wrk.method = "POST"',
    "wrk.body = body",
    'wrk.headers["content-type"] = "application/json"',
  ];
  writeFileSync(join(folder, "post.lua"), `${post.join("\n")}\n${REPORT}`);
  const command = [TOOL, "backend", String(PORTS.http), String(PORTS.grpc)];
  const started = start("backend", pinned(1, command));
  await listening(started, PORTS.http);
  await listening(started, PORTS.grpc);
  return PORTS;
}

/** The codec alone, beside compiled code: nanoseconds. */
backend.codec = () => JSON.parse(execFileSync(pinned(0, [TOOL])[0], [...pinned(0, [TOOL]).slice(1), "codec"]));

/** Loads a side from a fixed number of connections, each with one request at a time. */
export async function wrk(side, seconds, connections) {
  const duration = seconds < 1 ? 1 : Math.round(seconds);
  const command = ["wrk", "-t1", "--timeout", "10s", `-c${connections}`, `-d${duration}s`, "-H", "x-user-id: guest-17", "-s", side.script];
  const [program, ...rest] = pinned(1, [...command, side.url]);
  const { stdout } = await promisify(execFile)(program, rest);
  return JSON.parse(stdout.trim().split("\n").pop());
}
