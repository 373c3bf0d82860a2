#!/usr/bin/env node
// Fuzzes every parser of gateway/crates/transcode with libFuzzer, each for a while, from the seeds in its fuzz/corpus.
//
//   scripts/fuzz.mjs [SECONDS] [PARSER..]
//
// The coverage counters are those that cargo-fuzz asks the compiler for; without a sanitizer (this is safe Rust) they need
// no nightly toolchain. What is found on the way is kept under target/fuzz/corpus and used again the next time; an input
// that breaks something lies in target/fuzz/artifacts.
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";

const fuzz = resolve("gateway/crates/transcode/fuzz");
const work = resolve(process.env.CARGO_TARGET_DIR ?? "target", "fuzz");
const [seconds = "60", ...names] = process.argv.slice(2);
if (!/^[1-9]\d*$/.test(seconds)) throw new Error(`${seconds} is no number of seconds`);
const parsers = names.length > 0 ? names : readdirSync(join(fuzz, "corpus"));

/** Longest input: a call has several parts, and nesting takes two bytes a level. */
const BYTES_MAX = 1024;
const LINES_SHOWN = 45;

function run(command, args, options = {}) {
  const done = spawnSync(command, args, { encoding: "utf8", maxBuffer: 64 << 20, ...options });
  if (done.error) throw done.error;
  const said = `${done.stdout}${done.stderr ?? ""}`;
  if (done.status !== 0) {
    // The panic and the input; before them are thousands of lines of progress.
    console.error(said.split("\n").slice(-LINES_SHOWN).join("\n"));
    console.error(`${command} failed (${args.join(" ")})`);
    process.exit(1);
  }
  return said;
}

const host = run("rustc", ["-vV"]).match(/^host: (.+)$/m)[1];
const counters = ["-level=4", "-inline-8bit-counters", "-pc-table", "-trace-compares"];
// With a target of its own, build scripts and macros stay without counters, which they could not be linked with.
run("cargo", ["build", "--release", "--target", host, "--target-dir", work], {
  cwd: fuzz,
  stdio: ["ignore", "pipe", "inherit"],
  env: {
    ...process.env,
    RUSTFLAGS: ["-Cpasses=sancov-module", ...counters.map((name) => `-Cllvm-args=-sanitizer-coverage${name}`)].join(" "),
  },
});

let runs = 0;
for (const parser of parsers) {
  const seeds = join(fuzz, "corpus", parser);
  const kept = join(work, "corpus", parser);
  const artifacts = join(work, "artifacts", parser);
  for (const folder of [kept, artifacts]) mkdirSync(folder, { recursive: true });
  const limits = [`-max_total_time=${seconds}`, `-max_len=${BYTES_MAX}`, "-timeout=10", "-rss_limit_mb=1024"];
  const said = run(
    join(work, host, "release/parser"),
    [...limits, `-artifact_prefix=${artifacts}/`, "-print_final_stats=1", kept, seeds],
    { env: { ...process.env, PARSER: parser } },
  );
  const count = Number(said.match(/number_of_executed_units:\s*(\d+)/)[1]);
  const covered = [...said.matchAll(/cov: (\d+)/g)].at(-1)?.[1];
  console.log(`${parser}: ${count} runs, ${covered} edges`);
  runs += count;
}
console.log(`figure fuzz_runs ${runs} runs`);
