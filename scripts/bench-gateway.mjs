#!/usr/bin/env node
// Measures what a request costs the gateway, beside nginx, haproxy and Envoy on the same machine in the same run, and
// regenerates its block in docs/benchmarks.md. Installs the peers where they are missing (Debian's packages as root;
// Envoy by pip into a folder beside the build). --quick tries it out in a minute and leaves the page as it is; --only
// PATTERN measures the sides whose name matches; --binary PATH measures that program.
import { readFileSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";

import { backend, wrk } from "./bench-gateway/load.mjs";
import { install, versions } from "./bench-gateway/peers.mjs";
import { cpuSeconds, end, residentMb, scratch } from "./bench-gateway/processes.mjs";
import { CONNECTIONS, sides, startAll } from "./bench-gateway/sides.mjs";

const options = process.argv.slice(2);
const after = (name) => (options.includes(name) ? options[options.indexOf(name) + 1] : undefined);
const quick = options.includes("--quick");
const [rounds, seconds] = quick ? [2, 1] : [Number(after("--rounds") ?? 7), 3];
const only = new RegExp(after("--only") ?? "");

const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

/** One side under load for some seconds: what it did and what it cost. */
async function load(side, process, seconds) {
  const before = cpuSeconds(process.pid);
  const done = await wrk(side, seconds, CONNECTIONS);
  const cpu = cpuSeconds(process.pid) - before;
  if (done.errors > done.requests / 1000) throw new Error(`${side.name}: ${done.errors} of ${done.requests} failed`);
  const answered = done.requests - done.errors;
  return { ...done, cpu_us: (1e6 * cpu) / answered, per_s: answered / done.seconds, rss_mb: residentMb(process.pid) };
}

async function measure(all, processes) {
  for (const side of all) await load(side, processes[side.process], quick ? 0.5 : 2);
  const results = Object.fromEntries(all.map((side) => [side.name, []]));
  for (let round = 0; round < rounds; round += 1) {
    // Every other round the other way round: what drifts, drifts for all.
    const order = round % 2 ? [...all].reverse() : all;
    for (const side of order) results[side.name].push(await load(side, processes[side.process], seconds));
    process.stderr.write(`round ${round + 1} of ${rounds}\n`);
  }
  return results;
}

/** The median over the rounds of what two sides of the same round come to. */
function paired(results, one, other, compare) {
  if (!results[one] || !results[other]) return undefined;
  return median(results[one].map((it, round) => compare(it, results[other][round])));
}

function figuresOf(results, codec) {
  const ratio = (one, other) => paired(results, one, other, (a, b) => a.cpu_us / b.cpu_us);
  const memory = (names) => {
    const measured = names.flatMap((name) => results[name] ?? []).map((it) => it.rss_mb);
    return measured.length ? Math.max(...measured) : Number.NaN;
  };
  const ours = memory(["banyan plain", "banyan transcoding"]);
  const figures = [
    ["transcode_vs_nginx", ratio("banyan transcoding", "nginx plain"), "x"],
    ["transcode_vs_envoy", ratio("banyan transcoding", "envoy transcoding"), "x"],
    ["plain_vs_nginx", ratio("banyan plain", "nginx plain"), "x"],
    ["plain_vs_haproxy", ratio("banyan plain", "haproxy plain"), "x"],
    ["list100_vs_envoy", ratio("banyan list of 100", "envoy list of 100"), "x"],
    ["post10k_vs_nginx", ratio("banyan POST 10 KB", "nginx POST 10 KB"), "x"],
    ["everything_vs_nginx", ratio("banyan everything on", "nginx plain, access log"), "x"],
    ["memory_vs_envoy", ours / memory(["envoy transcoding"]), "x"],
    ["list100_vs_prost_pbjson", codec.list_to_json.ours / codec.list_to_json.prost_pbjson, "x"],
    ["post10k_vs_prost_pbjson", codec.order_to_wire.ours / codec.order_to_wire.prost_pbjson, "x"],
    ["decision_us", paired(results, "banyan plain, rollout", "banyan plain", (a, b) => a.cpu_us - b.cpu_us), "µs"],
  ];
  return figures.filter(([, value]) => Number.isFinite(value)).map(([name, value, unit]) => [name, value.toFixed(2), unit]);
}

function row(name, rounds) {
  const of = (key) => median(rounds.map((it) => it[key]));
  const whole = Math.round(of("per_s")).toLocaleString("en-US");
  const cells = [name, of("cpu_us").toFixed(1), whole, `${of("p50_ms").toFixed(2)} / ${of("p99_ms").toFixed(2)}`];
  return `| ${[...cells, Math.max(...rounds.map((it) => it.rss_mb)).toFixed(0)].join(" | ")} |`;
}

function page(results, figures, codec) {
  const machine = `${cpus().length} x ${cpus()[0].model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB`;
  const micro = (it) => `${(it.ours / 1000).toFixed(1)} µs, prost and pbjson ${(it.prost_pbjson / 1000).toFixed(1)} µs`;
  return [
    "<!-- bench-gateway -->",
    `Build of the profile dist on ${machine}, ${versions().join(", ")}, ${new Date().toISOString().slice(0, 10)}: median of ${rounds} ` +
      `rounds of ${seconds} s, ${CONNECTIONS} connections.`,
    "",
    "| figure | value | unit |",
    "| --- | ---: | --- |",
    ...figures.map((figure) => `| ${figure.join(" | ")} |`),
    "",
    "| side | CPU µs a request | requests/s | p50 / p99 ms | memory MB |",
    "| --- | ---: | ---: | ---: | ---: |",
    ...Object.entries(results).map(([name, rounds]) => row(name, rounds)),
    "",
    `The codec alone: a list of 100 items (${codec.list_bytes} bytes) to JSON ${micro(codec.list_to_json)}; an order of ` +
      `${codec.order_bytes} bytes to JSON ${micro(codec.order_to_json)}, from JSON ${micro(codec.order_to_wire)}.`,
    "<!-- /bench-gateway -->",
  ].join("\n");
}

function write(rendered) {
  const file = "docs/benchmarks.md";
  const text = readFileSync(file, "utf8");
  writeFileSync(file, text.replace(/<!-- bench-gateway -->[\s\S]*?<!-- \/bench-gateway -->/, () => rendered));
}

install();
const folder = scratch();
try {
  const processes = await startAll(folder, await backend(folder), after("--binary") ?? "target/dist/banyan");
  const all = sides(folder).filter((side) => only.test(side.name));
  const results = await measure(all, processes);
  const codec = backend.codec();
  const figures = figuresOf(results, codec);
  const rendered = page(results, figures, codec);
  if (quick || after("--only")) process.stderr.write(`${rendered}\n`);
  else write(rendered);
  for (const [name, value, unit] of figures) console.log(`figure ${name} ${value} ${unit}`);
} finally {
  await end();
}
