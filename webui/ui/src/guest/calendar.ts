// The rules of choosing a stay. A night can be slept in when it has a price and enough free rooms; a stay is a run of such
// nights; the day of leaving need not be one of them. Choosing never dead-ends: a click that cannot end the stay begins
// another one, and says why.
import { addDays, daysBetween, weekday, type Civil } from "../shared/civil";
import { sum, times } from "../shared/format";
import type { Money, NightAvailability } from "../shared/api/types";

export type Nights = ReadonlyMap<Civil, NightAvailability>;

export interface Stay {
  checkIn?: Civil;
  checkOut?: Civil;
}

export type Refusal = "unknown" | "notSold" | "full" | "gap" | "tooLong";

export interface Choice {
  stay: Stay;
  refusal?: Refusal;
}

export const NIGHTS_MAX = 365;

/** Why this night cannot be slept in; undefined if it can. */
export function obstacle(nights: Nights, date: Civil, rooms: number): Exclude<Refusal, "gap" | "tooLong"> | undefined {
  const night = nights.get(date);
  if (!night) return "unknown";
  if (!night.price) return "notSold";
  return (night.availableRooms ?? 0) < rooms ? "full" : undefined;
}

/** The first night from check-in on that cannot be slept in: the last possible day of leaving. */
export function lastCheckOut(nights: Nights, checkIn: Civil, rooms: number): Civil {
  let date = checkIn;
  while (daysBetween(checkIn, date) < NIGHTS_MAX && obstacle(nights, date, rooms) === undefined) date = addDays(date, 1);
  return date;
}

export function choose(stay: Stay, date: Civil, nights: Nights, rooms: number): Choice {
  const open = stay.checkIn !== undefined && stay.checkOut === undefined;
  if (!open || date <= (stay.checkIn ?? "")) return begin(stay, date, nights, rooms);
  const checkIn = stay.checkIn as Civil;
  if (date <= lastCheckOut(nights, checkIn, rooms)) return { stay: { checkIn, checkOut: date } };
  const refusal = daysBetween(checkIn, date) > NIGHTS_MAX ? "tooLong" : "gap";
  const anew = begin(stay, date, nights, rooms);
  return anew.refusal ? { stay, refusal } : { ...anew, refusal };
}

function begin(stay: Stay, date: Civil, nights: Nights, rooms: number): Choice {
  const refusal = obstacle(nights, date, rooms);
  return refusal ? { stay, refusal } : { stay: { checkIn: date } };
}

/** What remains of a stay when the room type or the number of rooms changes: all of it, or nothing. */
export function keep(stay: Stay, nights: Nights, rooms: number): Stay {
  if (!stay.checkIn || obstacle(nights, stay.checkIn, rooms)) return {};
  if (stay.checkOut && stay.checkOut > lastCheckOut(nights, stay.checkIn, rooms)) return {};
  return stay;
}

export interface Quote {
  nights: number;
  total: Money | undefined;
}

/** Undefined until both ends are chosen. */
export function quote(stay: Stay, nights: Nights, rooms: number): Quote | undefined {
  if (!stay.checkIn || !stay.checkOut) return undefined;
  const count = daysBetween(stay.checkIn, stay.checkOut);
  const prices = Array.from({ length: count }, (_, night) => nights.get(addDays(stay.checkIn as Civil, night))?.price);
  return { nights: count, total: times(sum(prices), rooms) };
}

/** Where a key takes the focus; undefined for keys that are not the calendar's (WAI-ARIA date grid pattern). */
export function moveFocus(date: Civil, key: string, shift: boolean, hop: (months: number) => Civil): Civil | undefined {
  const offset = weekday(date);
  switch (key) {
    case "ArrowLeft":
      return addDays(date, -1);
    case "ArrowRight":
      return addDays(date, 1);
    case "ArrowUp":
      return addDays(date, -7);
    case "ArrowDown":
      return addDays(date, 7);
    case "Home":
      return addDays(date, -offset);
    case "End":
      return addDays(date, 6 - offset);
    case "PageUp":
      return hop(shift ? -12 : -1);
    case "PageDown":
      return hop(shift ? 12 : 1);
    default:
      return undefined;
  }
}
