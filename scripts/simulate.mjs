#!/usr/bin/env node
// Runs simulated rollouts (`gateway/crates/rollout/examples/simulate`), prints their tables, and writes tables and figures
// into docs/benchmarks.md.
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { report } from "./figures.mjs";

const quick = process.argv.includes("--quick");
const program = resolve(process.env.CARGO_TARGET_DIR ?? "target", "release/examples/simulate");
const done = spawnSync(program, quick ? ["400", "40"] : [], { encoding: "utf8" });
if (done.error) throw done.error;
if (done.status !== 0) throw new Error(`${program} failed:\n${done.stderr}`);
const lines = done.stdout.trim().split("\n");
const figures = lines.filter((line) => line.startsWith("figure ")).map((line) => line.split(" ").slice(1));
const tables = lines.filter((line) => !line.startsWith("figure ")).join("\n").trim();
console.log(`${tables}\n`);
if (quick) {
  for (const figure of figures) console.log(["figure", ...figure].join(" "));
} else {
  report("simulate", "Release build, the same numbers everywhere.", figures);
  const [page, close] = ["docs/benchmarks.md", "<!-- /simulate -->"];
  writeFileSync(page, readFileSync(page, "utf8").replace(close, () => `\n${tables}\n${close}`));
}

// What docs/benchmarks.md states; few rollouts say little of how soon the slowest are found.
const stated = { false_rollback_rate: 1 };
if (!quick) {
  stated.bad_release_detected_after_requests = 250_000;
  stated.differing_release_detected_after_comparisons = 100_000;
}
for (const [name, most] of Object.entries(stated)) {
  const value = Number(figures.find(([figure]) => figure === name)?.[1]);
  if (!(value <= most)) {
    console.error(`${name} is ${value}; at most ${most} is stated`);
    process.exitCode = 1;
  }
}
