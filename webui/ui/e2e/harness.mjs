// What the browser test stands on: a fresh Chromium, steps that are counted, and pages that are checked as they are seen.
import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import { chromium } from "playwright-core";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const CANDIDATES = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

export const WAIT_MS = Number(process.env.E2E_WAIT_MS ?? 15_000);

export async function launch() {
  const executablePath = CANDIDATES.find((path) => path && existsSync(path));
  if (!executablePath) throw new Error("no Chromium found; set CHROMIUM to its path");
  return chromium.launch({ executablePath, headless: true, args: FLAGS });
}

/** Counts steps; one that fails leaves a picture of the page and the others still run. */
export class Steps {
  passed = 0;
  failed = 0;
  #page;
  #shots = process.env.E2E_SHOTS ?? mkdtempSync(join(tmpdir(), "banyan-e2e-"));

  use(page) {
    this.#page = page;
  }

  async step(name, run) {
    try {
      await run();
      this.passed += 1;
      console.log(`ok    ${name}`);
    } catch (error) {
      this.failed += 1;
      console.log(`FAIL  ${name}\n      ${String(error?.message ?? error).split("\n").slice(0, 12).join("\n      ")}`);
      const shot = join(this.#shots, `${this.failed}.png`);
      const taken = await this.#page?.screenshot({ path: shot, fullPage: true }).catch(() => undefined);
      if (taken) console.log(`      ${this.#page.url()} ${shot}`);
    }
  }

  finish() {
    console.log(`${this.passed} passed, ${this.failed} failed`);
    return this.failed === 0 && this.passed > 0 ? 0 : 1;
  }
}

export function assert(condition, message) {
  if (!condition) throw new Error(message);
}

/** Waits until it is so; the last reason why it was not is the failure. */
export async function eventually(what, condition) {
  const end = Date.now() + WAIT_MS;
  for (;;) {
    const seen = await condition();
    if (seen) return seen;
    assert(Date.now() < end, `it never came to be that ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/**
 * Runs in the page: waits until what is on its way has arrived. A button that has just been enabled has colours in between
 * that it never stays in. What never ends, such as a placeholder's shimmer, is not waited for.
 */
async function settled() {
  await new Promise((frame) => requestAnimationFrame(() => requestAnimationFrame(frame)));
  const ends = (one) => one.effect?.getComputedTiming().iterations !== Infinity;
  await Promise.all(document.getAnimations().filter(ends).map((one) => one.finished.catch(() => {})));
}

/** What no page may have: serious findings of axe, content that sticks out sideways, errors in the console. */
export class Inspector {
  #page;
  #errors = [];

  constructor(page) {
    this.#page = page;
    page.on("pageerror", (error) => this.#errors.push(String(error)));
    page.on("console", (message) => {
      // A refusal of the API is logged by the browser itself and is part of the test.
      const refused = message.text().startsWith("Failed to load resource");
      if (message.type() === "error" && !refused) this.#errors.push(message.text());
    });
  }

  async check() {
    const page = this.#page;
    await page.evaluate(settled);
    const { violations } = await new AxeBuilder({ page }).analyze();
    const grave = violations.filter((one) => one.impact === "serious" || one.impact === "critical");
    const told = grave.map((one) => `${one.id}: ${one.nodes.slice(0, 3).map((node) => node.html).join(" | ")}`);
    assert(grave.length === 0, `axe finds ${told.join("\n")}`);
    const before = page.viewportSize();
    for (const width of [before.width, 320]) {
      await page.setViewportSize({ ...before, width });
      const [content, room] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
      assert(content <= room, `at ${width} px the page is ${content} px wide in ${room} px`);
    }
    await page.setViewportSize(before);
    const errors = this.#errors.splice(0);
    assert(errors.length === 0, `the console says: ${errors.join("\n")}`);
  }
}
