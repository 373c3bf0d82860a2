#!/usr/bin/env node
// Measures how many holds a second the reservation service grants, beside a naive engine and beside statements alone
// (`tests/load`); regenerates its tables in docs/benchmarks.md. --quick tries it out and leaves the page as it is;
// --rounds N measures as often as that; --binary PATH measures that program.
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";

const options = process.argv.slice(2);
const quick = options.includes("--quick");

/** PostgreSQL may still be writing when it is broken off. */
function remove(folder) {
  for (let tries = 50; ; tries -= 1) {
    try {
      return rmSync(folder, { recursive: true, force: true });
    } catch (error) {
      if (tries === 0) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
    }
  }
}

function measure() {
  // Everything that the bench makes is in here, PostgreSQL's cluster too, whose user must be able to enter.
  const folder = mkdtempSync(join(tmpdir(), "banyan-bench-holds-"));
  chmodSync(folder, 0o755);
  try {
    const bench = spawnSync("target/dist/banyan-load", ["bench", ...options], {
      env: { ...process.env, TMPDIR: folder },
      stdio: ["ignore", "pipe", "inherit"],
      maxBuffer: 1 << 24,
    });
    if (bench.error) throw bench.error;
    if (bench.status !== 0) throw new Error(`the benchmark ended with ${bench.status ?? bench.signal}`);
    return JSON.parse(bench.stdout);
  } finally {
    remove(folder);
  }
}

const whole = (value) => Math.round(value).toLocaleString("en-US");
const fine = (value) => (value < 10 ? value.toFixed(1) : value.toFixed(0));

function cpu(row) {
  if (row.engine === "raw SQL") return `${fine(row.server_us)} + ${fine(row.database_us)} + 0`;
  return `${fine(row.server_us)} + ${fine(row.database_us)} + ${fine(row.client_us)}`;
}

function ratio(row, rows) {
  const peer = (engine) =>
    rows.find((it) => it.engine === engine && it.scenario === row.scenario && it.database === row.database);
  const [naive, raw] = [peer("naive"), peer("raw SQL")];
  return [
    naive ? `${(row.holds_per_s / naive.holds_per_s).toFixed(1)} x` : "",
    raw ? `${((100 * row.holds_per_s) / raw.holds_per_s).toFixed(0)} %` : "",
  ];
}

function scenarios(rows) {
  const order = ["HoldBooking", "BatchHold", "naive", "naive, in commit order", "raw SQL"];
  const sorted = [...rows].sort(
    (a, b) =>
      a.database.localeCompare(b.database) ||
      a.scenario.localeCompare(b.scenario) ||
      order.indexOf(a.engine) - order.indexOf(b.engine),
  );
  return sorted.map((row) => {
    const cells = [
      row.database,
      row.scenario,
      row.engine,
      whole(row.holds_per_s),
      ...ratio(row, rows),
      `${(100 * row.refused_share).toFixed(0)} %`,
      `${fine(row.p50_ms)} / ${fine(row.p99_ms)}`,
      cpu(row),
    ];
    return `| ${cells.join(" | ")} |`;
  });
}

function page(report, figures) {
  const machine = `${cpus().length} x ${cpus()[0].model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB`;
  const { choices, memory, bookings_before: before } = report;
  return [
    "<!-- bench-holds -->",
    `Build of the profile dist on ${machine}, PostgreSQL ${report.postgres_version}, ${new Date().toISOString().slice(0, 10)}: median ` +
      `of ${report.rounds} rounds of ${report.seconds} s.`,
    "",
    "| figure | value | unit |",
    "| --- | ---: | --- |",
    ...figures.map(([name, value, unit]) => `| ${name} | ${value} | ${unit} |`),
    "",
    "| database | sold | engine | holds/s | vs naive | vs raw SQL | refused | p50 / p99 ms | CPU µs a hold: server + PostgreSQL + client |",
    "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ...scenarios(report.rows),
    "",
    `Best by trial: ${choices.clients} clients; naive: ${choices.naive_pool} connections, in commit order ${choices.naive_in_order_pool}; BatchHold: ` +
      `${choices.batch_clients} clients of 500 holds a call; raw SQL: ${choices.raw_batch} holds a batch. Few and many ` +
      `bookings before: ${whole(before[0])} and ${whole(before[1])}.`,
    "",
    `Memory of the service at its maximum, ${whole(memory.holds)} holds in ${memory.seconds.toFixed(0)} s: ` +
      `${fine(memory.start_mb)} MB after the warm-up, ${fine(memory.middle_mb)} MB half-way, ${fine(memory.end_mb)} MB at ` +
      "the end.",
    "<!-- /bench-holds -->",
  ].join("\n");
}

const report = measure();
const digits = { "holds/s": 0, x: 2, "%": 0, ms: 1 };
const figures = report.figures.map(([name, value, unit]) => [name, value.toFixed(digits[unit] ?? 1), unit]);
const rendered = page(report, figures);
if (quick) {
  console.error(rendered);
} else {
  const file = "docs/benchmarks.md";
  const text = readFileSync(file, "utf8");
  writeFileSync(file, text.replace(/<!-- bench-holds -->[\s\S]*?<!-- \/bench-holds -->/, () => rendered));
}
for (const [name, value, unit] of figures) console.log(`figure ${name} ${value} ${unit}`);
