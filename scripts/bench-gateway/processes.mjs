// Processes of a measurement: where they run, what they cost, and that none of them is left behind.
import { spawn } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";

const running = [];
let folder;

/** A folder that is gone at the end. */
export function scratch() {
  folder = mkdtempSync(join(tmpdir(), "banyan-bench-gateway-"));
  return folder;
}

/** With two cores or more: what is measured on the first, whoever loads it on the second. */
export const pinned = (core, command) => (cpus().length > 1 ? ["taskset", "-c", String(core), ...command] : command);

/** Starts a process that ends with the measurement; what it says goes to a file. */
export function start(name, command, env = {}) {
  const log = openSync(join(folder, `${name}.log`), "a");
  const [program, ...rest] = command;
  const child = spawn(program, rest, { env: { ...process.env, ...env }, stdio: ["ignore", "ignore", log] });
  child.on("error", (error) => process.stderr.write(`${name}: ${error.message}\n`));
  const started = { name, pid: child.pid, child, ended: new Promise((resolve) => child.on("exit", resolve)) };
  running.push(started);
  return started;
}

/** Waits until somebody listens on a port. */
export async function listening(started, port) {
  for (let tries = 0; tries < 400; tries += 1) {
    if (started.child.exitCode !== null) break;
    const open = await new Promise((resolve) => {
      const socket = connect(port, "127.0.0.1", () => socket.end(() => resolve(true)));
      socket.on("error", () => resolve(false));
    });
    if (open) return started;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const said = readFileSync(join(folder, `${started.name}.log`), "utf8").slice(-2000);
  throw new Error(`${started.name} does not listen on ${port}: ${said}`);
}

/** Ends everything that was started. */
export async function end() {
  for (const { child } of running) child.kill("SIGTERM");
  const patience = new Promise((resolve) => setTimeout(resolve, 5000, "late"));
  for (const { child, ended } of running) {
    if ((await Promise.race([ended, patience])) === "late") child.kill("SIGKILL");
  }
  if (folder) rmSync(folder, { recursive: true, force: true });
}

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, async () => {
    await end();
    process.exit(1);
  });
}

/** A process and those it has started. */
function family(pid) {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) => {
    const children = readFileSync(`/proc/${pid}/task/${task}/children`, "utf8");
    return children.split(" ").filter(Boolean).map(Number);
  });
  return [pid, ...children.flatMap(family)];
}

/** User and system time of a process and its children so far; 100 ticks a second on every Linux. */
export function cpuSeconds(pid) {
  const ticks = family(pid).map((pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").pop().split(" ");
    return Number(fields[11]) + Number(fields[12]);
  });
  return ticks.reduce((a, b) => a + b) / 100;
}

/** Resident memory of a process and its children. */
export function residentMb(pid) {
  const kb = family(pid).map((pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0));
  return kb.reduce((a, b) => a + b) / 1024;
}
