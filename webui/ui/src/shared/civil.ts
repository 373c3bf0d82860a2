// Civil dates as text, `YYYY-MM-DD`: they compare as text and know no time zone. Arithmetic goes through UTC, where every
// day has 24 hours; a zone matters only for the question what day it is there.

export type Civil = string;

const DAY_MS = 86_400_000;

export function isCivil(text: string): boolean {
  return /^\d{4}-\d{2}-\d{2}$/.test(text) && toText(toMs(text)) === text;
}

function toMs(date: Civil): number {
  return Date.parse(`${date}T00:00:00Z`);
}

function toText(ms: number): Civil {
  return Number.isNaN(ms) ? "" : new Date(ms).toISOString().slice(0, 10);
}

/** The date as an instant at UTC midnight, for formatting with `timeZone: "UTC"`. */
export function asUtc(date: Civil): Date {
  return new Date(toMs(date));
}

export function addDays(date: Civil, days: number): Civil {
  return toText(toMs(date) + days * DAY_MS);
}

/** Nights from check-in to check-out: negative when the second date is earlier. */
export function daysBetween(from: Civil, to: Civil): number {
  return Math.round((toMs(to) - toMs(from)) / DAY_MS);
}

export function firstOfMonth(date: Civil): Civil {
  return `${date.slice(0, 7)}-01`;
}

/** The first of the month that many months away. */
export function addMonths(date: Civil, months: number): Civil {
  const at = asUtc(firstOfMonth(date));
  at.setUTCMonth(at.getUTCMonth() + months);
  return toText(at.getTime());
}

/** The same day of another month, or that month's last day. */
export function sameDayInMonth(date: Civil, months: number): Civil {
  const first = addMonths(date, months);
  const last = addDays(addMonths(first, 1), -1);
  const wanted = `${first.slice(0, 7)}-${date.slice(8)}`;
  return wanted > last ? last : wanted;
}

/** 0 for Monday to 6 for Sunday (ISO 8601). */
export function weekday(date: Civil): number {
  return (asUtc(date).getUTCDay() + 6) % 7;
}

/** What day it is at this instant in an IANA time zone; UTC where the browser does not know the zone. */
export function todayIn(timeZone: string | undefined, now: Date): Civil {
  return zonedParts(timeZone, now);
}

/** The civil date of an instant in a zone. */
export function civilOf(instant: string, timeZone: string | undefined): Civil {
  return zonedParts(timeZone, new Date(instant));
}

function zonedParts(timeZone: string | undefined, at: Date): Civil {
  const options = { year: "numeric", month: "2-digit", day: "2-digit" } as const;
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat("en-CA", { ...options, timeZone: timeZone || "UTC" });
  } catch {
    format = new Intl.DateTimeFormat("en-CA", { ...options, timeZone: "UTC" });
  }
  const parts = Object.fromEntries(format.formatToParts(at).map((part) => [part.type, part.value]));
  return `${parts["year"]}-${parts["month"]}-${parts["day"]}`;
}

/** The weeks of a month, Monday first; cells outside the month are empty. */
export function weeksOf(month: Civil): (Civil | undefined)[][] {
  const first = firstOfMonth(month);
  const next = addMonths(first, 1);
  const cells: (Civil | undefined)[] = Array.from({ length: weekday(first) }, () => undefined);
  for (let date = first; date < next; date = addDays(date, 1)) cells.push(date);
  while (cells.length % 7 !== 0) cells.push(undefined);
  return Array.from({ length: cells.length / 7 }, (_, week) => cells.slice(week * 7, week * 7 + 7));
}
