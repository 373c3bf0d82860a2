import { describe, expect, it } from "vitest";
import { bareMoney, countdown, day, money, moment, month, share, sum, time, times, weekdays } from "./format";

const plain = (text: string): string => text.replace(/[\u00a0\u202f]/g, " ");

describe("money", () => {
  it("is shown from minor units, by the currency's own digits", () => {
    expect(money({ currencyCode: "EUR", amountMinor: "8900" }, "en")).toBe("€89");
    expect(money({ currencyCode: "EUR", amountMinor: "8950" }, "en")).toBe("€89.50");
    expect(money({ currencyCode: "JPY", amountMinor: "8950" }, "en")).toBe("¥8,950");
    expect(plain(money({ currencyCode: "RUB", amountMinor: "450050" }, "ru"))).toBe("4 500,50 ₽");
    expect(plain(money({ currencyCode: "EUR", amountMinor: "100000000000" }, "ru"))).toBe("1 000 000 000 €");
  });

  it("of nothing is zero, and no price is no text", () => {
    expect(money({ currencyCode: "EUR" }, "en")).toBe("€0");
    expect(money(undefined, "en")).toBe("");
    expect(money({ amountMinor: "1" }, "en")).toBe("");
  });

  it("is short in a calendar", () => {
    expect(bareMoney({ currencyCode: "EUR", amountMinor: "18950" }, "en")).toBe("189.5");
    expect(bareMoney({ currencyCode: "RUB", amountMinor: "1250000" }, "en")).toBe("12.5k");
    expect(bareMoney(undefined, "en")).toBe("");
  });

  it("adds and multiplies without fractions", () => {
    const ten = { currencyCode: "EUR", amountMinor: "1010" };
    expect(sum([ten, undefined, ten])).toEqual({ currencyCode: "EUR", amountMinor: "2020" });
    expect(sum([])).toBeUndefined();
    expect(times(ten, 3)).toEqual({ currencyCode: "EUR", amountMinor: "3030" });
  });
});

describe("dates and times", () => {
  it("are written in the language", () => {
    expect(day("2026-11-21", "en")).toBe("21 November 2026");
    expect(plain(day("2026-11-21", "ru"))).toBe("21 ноября 2026 г.");
    expect(plain(month("2026-11-01", "ru"))).toBe("Ноябрь 2026 г.");
    expect(weekdays("en")[0]).toEqual({ short: "Mon", long: "Monday" });
  });

  it("are those of the venue", () => {
    expect(time("2026-11-21T19:30:00Z", "Europe/Lisbon", "en")).toBe("19:30");
    expect(time("2026-11-21T19:30:00Z", "Europe/Moscow", "ru")).toBe("22:30");
    expect(moment("2026-11-21T23:30:00Z", "Europe/Moscow", "en")).toBe("22 Nov 2026, 02:30");
  });
});

it("a countdown never shows less than nothing, nor a second too few", () => {
  expect(countdown(600)).toBe("10:00");
  expect(countdown(59.2)).toBe("01:00");
  expect(countdown(0.1)).toBe("00:01");
  expect(countdown(-3)).toBe("00:00");
});

it("a share is a percentage", () => {
  expect(share(0.425, "en")).toBe("42.5%");
});
