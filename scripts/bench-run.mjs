#!/usr/bin/env node
// Measures `banyan up` as a user meets it: from the start of the process until it is ready, its memory when idle, and
// its first answer. Five runs on fresh data, medians; regenerates its table in docs/benchmarks.md.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { report } from "./figures.mjs";

const RUNS = 5;
const IDLE_SECONDS = 5;
const binary = "target/dist/banyan";

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

// Below the range that the system takes ports from by itself, so that nobody else is given them meanwhile.
const freePort = () =>
  new Promise((found) => {
    const next = () => {
      const port = 20000 + Math.floor(Math.random() * 10000);
      const server = createServer().once("error", next);
      server.listen(port, "127.0.0.1", () => server.close(() => found(port)));
    };
    next();
  });

async function until(url, deadline) {
  for (;;) {
    try {
      const answer = await fetch(url);
      if (answer.ok) return;
    } catch {
      // Not listening yet.
    }
    if (performance.now() > deadline) throw new Error(`${url} was not ready in time`);
    await sleep(2);
  }
}

async function once() {
  const folder = mkdtempSync(join(tmpdir(), "banyan-bench-"));
  const [port, ops] = [await freePort(), await freePort()];
  const start = performance.now();
  const args = ["up", "--port", `${port}`, "--ops-listen", `127.0.0.1:${ops}`, "--data", join(folder, "data")];
  const child = spawn(binary, args, { stdio: "ignore" });
  const ended = new Promise((done) => child.on("exit", done));
  try {
    await until(`http://127.0.0.1:${ops}/readyz`, start + 30_000);
    const ready = performance.now() - start;
    const asked = performance.now();
    const answer = await fetch(`http://127.0.0.1:${port}/v1/hotels`);
    await answer.text();
    if (!answer.ok) throw new Error(`the first request was answered ${answer.status}`);
    const first = performance.now() - asked;
    await sleep(IDLE_SECONDS * 1000);
    const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
    const rss = Number(/VmRSS:\s+(\d+) kB/.exec(status)[1]) / 1024;
    return { ready, first, rss };
  } finally {
    child.kill("SIGTERM");
    await ended;
    rmSync(folder, { recursive: true });
  }
}

const runs = [];
for (let run = 0; run < RUNS; run += 1) {
  runs.push(await once());
  console.error(`run ${run + 1} of ${RUNS}: ready after ${runs[run].ready.toFixed(0)} ms`);
}
const figures = [
  ["ready_ms", median(runs.map((run) => run.ready)).toFixed(0), "ms"],
  ["idle_rss_mb", median(runs.map((run) => run.rss)).toFixed(1), "MB"],
  ["first_request_ms", median(runs.map((run) => run.first)).toFixed(1), "ms"],
];

report("bench-run", `Build of the profile dist, median of ${RUNS} starts with fresh data.`, figures);
