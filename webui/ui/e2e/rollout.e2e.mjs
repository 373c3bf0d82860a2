// An operator and one rollout, in a real browser against a running mesh:
//   BASE_URL=http://127.0.0.1:8000 OPS_URL=http://127.0.0.1:9000 node e2e/rollout.e2e.mjs
// Every step by hand is taken with the mouse on a desktop or with the keyboard on a phone of 360 px, in both languages, and
// every state is checked with axe. The rollout is left as it was found.
import { assert, eventually, Inspector, launch, Steps, WAIT_MS } from "./harness.mjs";

const BASE = (process.env.BASE_URL ?? "http://127.0.0.1:8000").replace(/\/$/, "");
const OPS = (process.env.OPS_URL ?? "http://127.0.0.1:9000").replace(/\/$/, "");
const PHONE = { width: 360, height: 740 };
const DESKTOP = { width: 1280, height: 900 };
const SHOTS = process.env.E2E_SHOTS;

const browser = await launch();
const steps = new Steps();
const context = await browser.newContext({ viewport: DESKTOP, locale: "en-GB", timezoneId: "Europe/Moscow" });
context.setDefaultTimeout(WAIT_MS);
const page = await context.newPage();
const inspector = new Inspector(page);
steps.use(page);
const step = (name, run) => steps.step(name, run);
const shot = async (name) => SHOTS && page.screenshot({ path: `${SHOTS}/${name}.png`, fullPage: true });

const rollout = async () => (await context.request.get(`${OPS}/v1/rollouts/movies`)).json();
const say = async (verb, body) => {
  const answer = await context.request.post(`${OPS}/v1/rollouts/movies:${verb}`, { data: { actor: "browser test", ...body } });
  assert(answer.ok(), `${verb}: ${await answer.text()}`);
};

/** Opens a step's question, answers it and does it. */
async function take(button, reason) {
  await page.locator("[data-actions]").getByRole("button", { name: button, exact: true }).click();
  const dialog = page.locator("dialog");
  await dialog.locator("[name=actor]").fill("browser test");
  await dialog.locator("[name=reason]").fill(reason);
  await inspector.check();
  await dialog.getByRole("button", { name: `Yes: ${button}` }).click();
  await dialog.waitFor({ state: "detached" });
  await page.locator("[data-actions] .notice.good").waitFor();
}

await step("a rollout has a page of its own, one click from the list", async () => {
  await page.goto(`${OPS}/ops/rollouts`);
  await page.locator("[data-rollout=movies] h2 a").click();
  await page.getByRole("heading", { name: "Rollout movies" }).waitFor();
  await page.locator("[data-follower]", { hasText: "caught up" }).waitFor();
  await page.locator("[data-authority]", { hasText: "legacy" }).waitFor();
  await page.locator("[data-capabilities]").waitFor();
  await page.locator("[data-settings]", { hasText: "Answers compared" }).waitFor();
  await page.locator("[data-differences]").waitFor();
  await inspector.check();
  await shot("rollout");
});

await step("a step wants a name and a reason, and Escape leaves it", async () => {
  await page.locator("[data-actions]").getByRole("button", { name: "Abort" }).click();
  const dialog = page.locator("dialog");
  await dialog.locator("[name=actor]").fill("");
  await dialog.getByRole("button", { name: "Yes: Abort" }).click();
  await dialog.locator("[role=alert]", { hasText: "Say who you are" }).waitFor();
  await dialog.locator("[name=actor]").fill("browser test");
  await dialog.getByRole("button", { name: "Yes: Abort" }).click();
  await dialog.locator("[role=alert]", { hasText: "Say why" }).waitFor();
  await inspector.check();
  await shot("dialog");
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
});

await step("shadow, promote, pause, resume and abort are done and remembered", async () => {
  await take("Go to shadow", "compare first");
  assert((await rollout()).stage === "STAGE_SHADOW", "not in shadow");
  await take("Promote", "no differences");
  assert((await rollout()).stage === "STAGE_SPLIT", "not in split");
  await say("configure", { policy: { steps: [10, 100] } });
  await page.locator("[data-policy] .badge", { hasText: "running" }).waitFor();
  await take("Pause the policy", "freeze");
  await page.locator("[data-policy] .badge", { hasText: "paused" }).waitFor();
  await take("Resume", "thaw");
  await page.locator("[data-policy] .badge", { hasText: "running" }).waitFor();
  await take("Abort", "p99 doubled");
  await page.locator("[data-policy] .badge", { hasText: "rolled back" }).waitFor();
  await page.locator("td", { hasText: "p99 doubled" }).first().waitFor();
  await page.locator("[data-verified] .notice.good", { hasText: "Intact" }).waitFor();
  await inspector.check();
  await shot("aborted");
});

await step("a percentage wants a reason and a second yes", async () => {
  await say("resume", {});
  // What is set goes by what the page has seen: before that it would be refused as out of date.
  await page.locator("[data-policy] .badge", { hasText: "running" }).waitFor();
  const card = page.locator("[data-rollout=movies]");
  await card.locator("[name=percent]").fill("35");
  await card.locator("[name=actor]").fill("browser test");
  await card.getByRole("button", { name: "Apply" }).click();
  await card.locator("[role=alert]", { hasText: "Say why" }).waitFor();
  await card.locator("[name=reason]").fill("a third");
  await card.getByRole("button", { name: "Apply", exact: true }).click();
  await card.getByText("to 35 % on gRPC: is that meant?").waitFor();
  assert(((await rollout()).percent ?? 0) === 0, "it was set before the second yes");
  await inspector.check();
  await card.getByRole("button", { name: "Yes: Apply" }).click();
  await card.locator(".in-force", { hasText: "35 %" }).waitFor();
  await page.locator("td", { hasText: "a third" }).first().waitFor();
});

await step("who says what is shown in the order of its strength", async () => {
  await say("configure", { shadowPercent: 100, fallback: true });
  const shadow = page.locator("[data-settings] .facts > div", { hasText: "Answers compared" });
  await eventually("the operator's share stands first", async () => {
    const first = await shadow.locator("li").first().textContent();
    return first.includes("100 %") && first.includes("operator") && first.includes("in force");
  });
  assert((await shadow.locator("li s").count()) === 1, "what is beaten is not struck out");
});

await step("stage gRPC says that it is one-way, and wants that confirmed", async () => {
  await say("resume", {});
  await say("setPercent", { percent: 100 });
  await page.locator("[data-actions] p", { hasText: "one-way" }).waitFor();
  await page.locator("[data-actions]").getByRole("button", { name: "Promote" }).click();
  const dialog = page.locator("dialog");
  await dialog.locator("[name=reason]").fill("try");
  await dialog.getByRole("button", { name: "Yes: Promote" }).click();
  await dialog.locator("[role=alert]", { hasText: "Confirm that there is no way back" }).waitFor();
  await inspector.check();
  await shot("one-way");
  await dialog.getByRole("button", { name: "Leave it" }).click();
  assert((await rollout()).stage === "STAGE_SPLIT", "it was entered without a word");
});

await step("differences are grouped by route, with noise, examples and further pages", async () => {
  const one = (field, more) => ({
    route: "GET /api/movies",
    field,
    kind: "changed",
    count: "1200",
    firstSeenTime: "2026-11-20T10:00:00Z",
    lastSeenTime: "2026-11-21T10:00:00Z",
    legacyExample: '"xxxx xx xxxxxxx"',
    grpcExample: '"xxxx"',
    requestId: "r",
    ...more,
  });
  const first = [one("movies[].title"), one("movies[].rating", { noise: "7" }), one("", { route: "GET /api/movies?id", kind: "status" })];
  await page.route("**/differences?*", (route) => {
    const asked = new URL(route.request().url()).searchParams;
    const next = asked.get("pageToken") === "two";
    return route.fulfill({ json: next ? { differences: [one("movies[].genres")] } : { differences: first, nextPageToken: "two" } });
  });
  const section = page.locator("[data-differences]");
  await section.getByRole("button", { name: "Read again" }).click();
  await section.locator("td", { hasText: "movies[].title" }).waitFor();
  assert((await section.locator("h3").count()) === 2, "not one group a route");
  await section.locator(".badge", { hasText: "noise: 7" }).waitFor();
  await section.getByRole("button", { name: "Show more" }).click();
  await section.locator("td", { hasText: "movies[].genres" }).waitFor();
  await inspector.check();
  await shot("differences");
});

await step("evidence of the policy is shown metric by metric", async () => {
  await page.route("**/v1/rollouts/movies", async (route) => {
    const json = await (await route.fetch()).json();
    const found = { legacy: 0.01, grpc: 0.02, allowed: 0.011, legacySamples: "5000", grpcSamples: "4900", judgement: "worse" };
    const evidence = [{ ...found, metric: "errors" }, { ...found, metric: "p99", legacy: 40_000, grpc: 90_000, allowed: 50_000, judgement: "undecided" }];
    await route.fulfill({ json: { ...json, verdict: "hold: undecided", evidence } });
  });
  const policy = page.locator("[data-policy]");
  await policy.locator("td", { hasText: "90 ms" }).waitFor();
  await policy.locator("td", { hasText: "worse" }).waitFor();
  await inspector.check();
});

await step("on a phone, in Russian and by keyboard it is the same page", async () => {
  await page.setViewportSize(PHONE);
  await page.click(".langs [lang=ru]");
  await page.getByRole("heading", { name: "Переключение movies" }).waitFor();
  await page.locator("[data-differences] td", { hasText: "другое значение" }).first().waitFor();
  await inspector.check();
  await shot("phone");
  const abort = page.locator("[data-actions]").getByRole("button", { name: "Прервать" });
  await abort.focus();
  await page.keyboard.press("Enter");
  const dialog = page.locator("dialog");
  await dialog.waitFor();
  await page.keyboard.press("Tab");
  await dialog.locator("[name=reason]").focus();
  await page.keyboard.type("с телефона");
  await inspector.check();
  await page.keyboard.press("Enter");
  await dialog.waitFor({ state: "detached" });
  assert((await rollout()).analysis === "ANALYSIS_ABORTED", "not aborted");
  await page.emulateMedia({ colorScheme: "dark" });
  await inspector.check();
  await shot("phone-dark");
});

await say("resume", {});
await say("configure", { unset: ["shadow", "fallback", "policy"] });
await say("unsetPercent", {});
await context.request.get(`${BASE}/api/movies`);
await browser.close();
process.exitCode = steps.finish();
