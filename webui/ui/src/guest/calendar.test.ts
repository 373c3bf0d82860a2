import { describe, expect, it } from "vitest";
import { addDays, sameDayInMonth } from "../shared/civil";
import type { NightAvailability } from "../shared/api/types";
import { choose, keep, lastCheckOut, moveFocus, obstacle, quote, type Nights } from "./calendar";

/** Nights from 1 December: a digit is the number of free rooms, `-` is not sold. */
function nights(pattern: string): Nights {
  const list = [...pattern].map((mark, index): [string, NightAvailability] => {
    const date = addDays("2026-12-01", index);
    if (mark === "-") return [date, { date, availableRooms: 5 }];
    return [date, { date, availableRooms: Number(mark), price: { currencyCode: "EUR", amountMinor: "8900" } }];
  });
  return new Map(list);
}
const on = (day: number): string => addDays("2026-12-01", day - 1);

describe("a night", () => {
  it("can be slept in when it has a price and enough rooms", () => {
    const some = nights("20-");
    expect(obstacle(some, on(1), 2)).toBeUndefined();
    expect(obstacle(some, on(1), 3)).toBe("full");
    expect(obstacle(some, on(2), 1)).toBe("full");
    expect(obstacle(some, on(3), 1)).toBe("notSold");
    expect(obstacle(some, on(4), 1)).toBe("unknown");
  });
});

describe("choosing", () => {
  it("takes arrival, then departure, then begins anew", () => {
    const all = nights("55555");
    const first = choose({}, on(2), all, 1);
    expect(first).toEqual({ stay: { checkIn: on(2) } });
    const second = choose(first.stay, on(4), all, 1);
    expect(second).toEqual({ stay: { checkIn: on(2), checkOut: on(4) } });
    expect(choose(second.stay, on(1), all, 1)).toEqual({ stay: { checkIn: on(1) } });
  });

  it("lets one leave on a day that is sold out", () => {
    expect(choose({ checkIn: on(1) }, on(3), nights("550"), 1).stay).toEqual({ checkIn: on(1), checkOut: on(3) });
    expect(lastCheckOut(nights("550"), on(1), 1)).toBe(on(3));
  });

  it("does not stay across a night that is taken: it begins anew behind it and says so", () => {
    const gap = nights("5505");
    expect(choose({ checkIn: on(1) }, on(4), gap, 1)).toEqual({ stay: { checkIn: on(4) }, refusal: "gap" });
    const end = nights("5500");
    expect(choose({ checkIn: on(1) }, on(4), end, 1)).toEqual({ stay: { checkIn: on(1) }, refusal: "gap" });
  });

  it("begins anew on the same or an earlier day, and refuses arrival where there is no room", () => {
    expect(choose({ checkIn: on(3) }, on(2), nights("555"), 1).stay).toEqual({ checkIn: on(2) });
    expect(choose({}, on(2), nights("505"), 1)).toEqual({ stay: {}, refusal: "full" });
  });
});

it("a stay survives a change only where it still has room", () => {
  const stay = { checkIn: on(1), checkOut: on(3) };
  expect(keep(stay, nights("22"), 2)).toEqual(stay);
  expect(keep(stay, nights("21"), 2)).toEqual({});
  expect(keep({}, nights("2"), 1)).toEqual({});
});

it("a quote is the nights' prices times the rooms", () => {
  const stay = { checkIn: on(1), checkOut: on(3) };
  expect(quote(stay, nights("55"), 2)).toEqual({ nights: 2, total: { currencyCode: "EUR", amountMinor: "35600" } });
  expect(quote({ checkIn: on(1) }, nights("55"), 1)).toBeUndefined();
});

it("keys move by day, week and month", () => {
  const hop = (months: number): string => sameDayInMonth("2026-12-16", months);
  const go = (key: string, shift = false): string | undefined => moveFocus("2026-12-16", key, shift, hop);
  expect(go("ArrowLeft")).toBe("2026-12-15");
  expect(go("ArrowDown")).toBe("2026-12-23");
  expect(go("Home")).toBe("2026-12-14");
  expect(go("End")).toBe("2026-12-20");
  expect(go("PageDown")).toBe("2027-01-16");
  expect(go("PageUp", true)).toBe("2025-12-16");
  expect(go("a")).toBeUndefined();
});
