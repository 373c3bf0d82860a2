// The whole way of a guest and of an operator, in a real browser against a running mesh:
//   BASE_URL=http://127.0.0.1:8000 OPS_URL=http://127.0.0.1:9000 node e2e/booking.e2e.mjs
// A room is booked with the mouse on a desktop, seats with the keyboard on a phone of 360 px. Every page is checked with
// axe in the state it was used in. Without OPS_URL the operator's part is left out.
import { assert, eventually, Inspector, launch, Steps, WAIT_MS } from "./harness.mjs";

const BASE = (process.env.BASE_URL ?? "http://127.0.0.1:8000").replace(/\/$/, "");
const OPS = process.env.OPS_URL?.replace(/\/$/, "");
const PHONE = { width: 360, height: 740 };
const DESKTOP = { width: 1280, height: 900 };
const GUEST = { name: `Ada ${Date.now().toString(36)}`, email: "ada@example.org" };

const browser = await launch();
const steps = new Steps();
const context = await browser.newContext({ viewport: DESKTOP, locale: "en-GB", timezoneId: "America/New_York" });
context.setDefaultTimeout(WAIT_MS);
const page = await context.newPage();
const inspector = new Inspector(page);
steps.use(page);
const step = (name, run) => steps.step(name, run);

async function fillContact() {
  await page.fill("[name=name]", GUEST.name);
  await page.fill("[name=email]", GUEST.email);
}

const focused = (attribute) => page.evaluate((name) => document.activeElement?.getAttribute(name), attribute);

async function stateOf(id, state) {
  const badge = page.locator(`[data-booking="${id}"] .badge`);
  await badge.waitFor();
  const text = await badge.textContent();
  assert(text === state, `booking ${id} is ${text}, not ${state}`);
}

// --- Guests ---

await step("home lists hotels and movies", async () => {
  await page.goto(`${BASE}/app/`);
  await page.locator(".cards .tile a").first().waitFor();
  await page.locator(".posters .tile a").first().waitFor();
  await inspector.check();
});

await step("the skip link leads to the content", async () => {
  await page.keyboard.press("Tab");
  assert((await page.evaluate(() => document.activeElement?.className)) === "skip", "it is not first in the tab order");
  await page.keyboard.press("Enter");
  assert((await focused("id")) === "main", "the content did not get the focus");
});

await step("the language switches and is remembered", async () => {
  await page.click(".langs [lang=ru]");
  await page.getByRole("heading", { name: "Отели" }).waitFor();
  assert((await page.getAttribute("html", "lang")) === "ru", "the lang attribute did not follow");
  await page.reload();
  await page.getByRole("heading", { name: "Отели" }).waitFor();
  await inspector.check();
  await page.click(".langs [lang=en]");
  await page.getByRole("heading", { name: "Hotels" }).waitFor();
});

let room;
await step("a room is held by calendar", async () => {
  await page.locator(".cards .tile a").first().click();
  const free = page.locator("[data-date][aria-disabled=false]");
  await free.nth(4).waitFor();
  await free.nth(1).click();
  // The next night that one can leave after, two nights later where the calendar allows.
  await free.nth(3).click();
  await page.locator(".summary button[type=submit]:enabled").waitFor();
  await inspector.check();
  await page.click(".summary button[type=submit]");
  assert((await focused("name")) === "name", "an empty form did not lead to what is missing");
  await fillContact();
  await page.click(".summary button[type=submit]");
  await page.locator("[role=timer]").waitFor();
  room = new URL(page.url()).pathname.split("/").at(-1);
  const left = await page.locator("[role=timer]").textContent();
  assert(/^(10:00|09:\d\d)$/.test(left), `a hold of ten minutes has ${left} left`);
  await inspector.check();
});

await step("the hold is confirmed", async () => {
  await page.getByRole("button", { name: "Confirm booking" }).click();
  await page.locator(".badge", { hasText: "Confirmed" }).waitFor();
  await inspector.check();
});

await step("the days of the calendar are reached with the keyboard on a phone", async () => {
  await page.setViewportSize(PHONE);
  await page.goto(`${BASE}/app/`);
  await page.locator(".cards .tile a").first().click();
  await page.locator("[data-date][aria-disabled=false]").nth(2).waitFor();
  await page.locator("[data-date][tabindex='0']").focus();
  const from = await focused("data-date");
  await page.keyboard.press("ArrowRight");
  const next = new Date(Date.parse(`${from}T00:00:00Z`) + 86_400_000).toISOString().slice(0, 10);
  await eventually("the focus is on the next day", async () => (await focused("data-date")) === next);
  await page.keyboard.press("PageDown");
  await eventually("the next month is shown", async () => ((await focused("data-date")) ?? "").slice(0, 7) > next.slice(0, 7));
  await page.locator("[data-date][aria-disabled=false]").first().waitFor();
  await inspector.check();
});

let seats;
let chosen;
let screeningPage;
await step("seats are chosen with the keyboard on a phone", async () => {
  await page.goto(`${BASE}/app/`);
  const links = page.locator(".posters .tile a");
  await links.first().waitFor();
  // Not every movie is shown somewhere: the first that is.
  for (const movie of await links.evaluateAll((all) => all.map((link) => link.getAttribute("href")))) {
    await page.goto(`${BASE}${movie}`);
    await page.locator(".time, .page > .empty").first().waitFor();
    if ((await page.locator(".time:not(.full)").count()) > 0) break;
  }
  await inspector.check();
  await page.locator(".time:not(.full)").last().click();
  await page.locator("[data-seat][tabindex='0']").focus();
  await page.keyboard.press("Control+End");
  const last = await focused("data-seat");
  await page.keyboard.press("ArrowLeft");
  assert((await focused("data-seat")) !== last, "the arrow key did not move the focus");
  await page.keyboard.press("Control+Home");
  chosen = [];
  for (let tries = 0; tries < 40 && chosen.length < 2; tries += 1) {
    if ((await focused("aria-disabled")) === "false") {
      await page.keyboard.press("Space");
      chosen.push(await focused("data-seat"));
    }
    await page.keyboard.press("ArrowRight");
  }
  assert((await page.locator("[data-seat].chosen").count()) === 2, "two seats are not chosen");
  await inspector.check();
});

await step("a seat that someone else takes first is refused with a reason, and nothing is booked", async () => {
  screeningPage = page.url();
  const screening = new URL(screeningPage).pathname.replace("/app/", "");
  const rival = await browser.newContext();
  const held = await rival.request.post(`${BASE}/v1/bookings:hold`, {
    data: { seats: { screening, seats: [chosen[0]] }, contact: { displayName: "Rival", email: "r@example.org" }, requestId: crypto.randomUUID() },
  });
  assert(held.ok(), `the rival's hold was answered ${held.status()} ${await held.text()}`);
  await fillContact();
  await page.keyboard.press("Enter");
  const alert = page.locator(".summary [role=alert]");
  await alert.waitFor();
  assert((await alert.textContent()).includes(chosen[0]), `the reason does not name the seat: ${await alert.textContent()}`);
  await eventually("the seat is shown as taken", async () => (await page.locator(`[data-seat="${chosen[0]}"].taken`).count()) === 1);
  await inspector.check();
  await rival.close();
});

await step("the remaining seat is held and confirmed", async () => {
  await page.locator(".summary button[type=submit]:enabled").click();
  await page.locator("[role=timer]").waitFor();
  seats = new URL(page.url()).pathname.split("/").at(-1);
  await page.getByRole("button", { name: "Confirm booking" }).focus();
  await page.keyboard.press("Enter");
  await page.locator(".badge", { hasText: "Confirmed" }).waitFor();
  await inspector.check();
});

await step("both are under my bookings", async () => {
  await page.getByRole("link", { name: "My bookings" }).first().click();
  await stateOf(room, "Confirmed");
  await stateOf(seats, "Confirmed");
  await inspector.check();
});

await step("the stay is moved to later nights", async () => {
  await page.setViewportSize(DESKTOP);
  await page.goto(`${BASE}/app/bookings/${room}`);
  await page.getByRole("link", { name: "Change" }).click();
  await page.locator("[data-date][aria-disabled=false]").nth(4).waitFor();
  await page.getByRole("button", { name: "Next month" }).click();
  const free = page.locator(".month:last-child [data-date][aria-disabled=false]");
  await free.nth(6).waitFor();
  const arrive = await free.nth(4).getAttribute("data-date");
  await free.nth(4).click();
  await free.nth(5).click();
  await inspector.check();
  await page.getByRole("button", { name: "Change the booking" }).click();
  await page.locator(".notice.good").waitFor();
  const shown = await page.locator("dd").allTextContents();
  const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" }).format(new Date(arrive));
  assert(shown.includes(day), `the booking does not begin on ${day}: ${shown}`);
});

await step("one is cancelled, after a question", async () => {
  await page.goto(`${BASE}/app/bookings`);
  const button = page.locator(`[data-booking="${seats}"]`).getByRole("button", { name: "Cancel booking" });
  await button.click();
  await page.locator("dialog[open]").waitFor();
  await inspector.check();
  await page.keyboard.press("Escape");
  await page.locator("dialog").waitFor({ state: "detached" });
  await stateOf(seats, "Confirmed");
  await button.click();
  await page.locator("dialog").getByRole("button", { name: "Cancel booking" }).click();
  await page.locator(`[data-booking="${seats}"] .badge.gone`).waitFor();
  await page.reload();
  await stateOf(seats, "Cancelled");
  await stateOf(room, "Confirmed");
});

await step("another guest does not see them", async () => {
  const other = await browser.newContext({ locale: "ru-RU" });
  const stranger = await other.newPage();
  await stranger.goto(`${BASE}/app/bookings/${room}`);
  await stranger.locator("[role=alert]").waitFor();
  assert((await stranger.locator("dl").count()) === 0, "a stranger sees the booking");
  await other.close();
});

await step("the pages are as readable in the dark", async () => {
  await page.emulateMedia({ colorScheme: "dark" });
  const hotel = await (await context.request.get(`${BASE}/v1/hotels`)).json();
  const screening = new URL(screeningPage).pathname;
  for (const [path, seen] of [
    ["/app/", ".posters .tile"],
    [`/app/${hotel.hotels[0].name}`, "[data-date][aria-disabled=false]"],
    [screening, "[data-seat]"],
    ["/app/bookings", "[data-booking]"],
  ]) {
    await page.goto(`${BASE}${path}`);
    await page.locator(seen).first().waitFor();
    await inspector.check();
  }
  await page.emulateMedia({ colorScheme: "light" });
});

await step("an address that leads nowhere says so", async () => {
  await page.goto(`${BASE}/app/nowhere/at/all`);
  await page.getByRole("heading", { name: "There is no such page" }).waitFor();
  await inspector.check();
});

// --- Operators ---

if (OPS) {
  await step("operators see all bookings", async () => {
    await page.goto(`${OPS}/ops/bookings`);
    await page.locator("td", { hasText: GUEST.name }).first().waitFor();
    await page.locator("select").nth(1).selectOption("STATE_CANCELLED");
    await eventually("only cancelled ones are left", async () => {
      const badges = await page.locator("td .badge").allTextContents();
      return badges.length > 0 && badges.every((text) => text === "Cancelled");
    });
    await inspector.check();
  });

  await step("the slider is moved and applied", async () => {
    await page.goto(`${OPS}/ops/rollouts`);
    const card = page.locator("[data-rollout=movies]");
    await card.waitFor();
    const before = Number(await card.locator("[name=percent]").inputValue());
    const key = before >= 100 ? "ArrowLeft" : "ArrowRight";
    await card.locator("input[type=range]").focus();
    await page.keyboard.press(key);
    const wanted = Math.trunc(Number(await card.locator("[name=percent]").inputValue()));
    assert(wanted !== before, "the slider did not move");
    await card.locator("[name=actor]").fill("browser test");
    await card.locator("[name=reason]").fill(`try ${GUEST.name}`);
    await card.getByRole("button", { name: "Apply" }).click();
    await card.locator(".notice.good").waitFor();
    await eventually("it is in force", async () => {
      const rollout = await (await context.request.get(`${OPS}/v1/rollouts/movies`)).json().catch(() => ({}));
      const shown = await card.locator(".in-force").textContent();
      return (rollout.percent ?? 0) === wanted && shown.startsWith(`${wanted} %`);
    });
    await card.locator("td", { hasText: `try ${GUEST.name}` }).waitFor();
    await inspector.check();
  });

  await step("counts of both sides are live", async () => {
    const card = page.locator("[data-rollout=movies]");
    const count = async () => {
      const texts = await card.locator("[data-count]").allTextContents();
      return texts.reduce((all, text) => all + Number(text.replace(/\D/g, "")), 0);
    };
    const before = await count();
    for (let call = 0; call < 5; call += 1) await context.request.get(`${BASE}/api/movies`);
    await eventually("the counts have grown", async () => (await count()) > before);
  });

  await step("the operator's percentage is taken back", async () => {
    const card = page.locator("[data-rollout=movies]");
    await card.getByRole("button", { name: "Take the setting back" }).click();
    await eventually("nobody's setting is in force", async () => (await card.getByRole("button", { name: "Take the setting back" }).count()) === 0);
  });

  await step("occupancy is shown, on a phone and in Russian", async () => {
    await page.setViewportSize(PHONE);
    await page.goto(`${OPS}/ops/occupancy`);
    await page.click(".langs [lang=ru]");
    await page.getByRole("heading", { name: "Загрузка" }).waitFor();
    await page.locator(".bars li").first().waitFor();
    await page.locator("#screenings").waitFor();
    await page.locator("td, .empty").first().waitFor();
    await inspector.check();
  });
}

// --- The API, described ---

for (const [whom, address, operation] of [["guests", BASE, "BookingService_HoldBooking"], ["operators", OPS, "RolloutService_SetRolloutPercent"]]) {
  if (!address) continue;
  await step(`the API for ${whom} is described and can be tried`, async () => {
    await page.setViewportSize(DESKTOP);
    await page.goto(`${address}/docs#${operation}`);
    const shown = page.locator(`#${operation}`);
    await shown.getByText("Try it").click();
    await inspector.check();
    const list = page.locator("#HotelService_ListHotels");
    await page.fill("#filter", "listhotels");
    await list.locator("summary").first().click();
    await list.getByText("Try it").click();
    await list.getByRole("button", { name: "Send GET" }).click();
    await list.getByText("200 OK in").waitFor();
    assert((await page.locator(".operation:visible").count()) === 1, "the filter shows others too");
    await inspector.check();
  });
}

await browser.close();
process.exitCode = steps.finish();
