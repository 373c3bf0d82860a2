import { expect, it } from "vitest";
import { byDay, placeOf } from "./screenings";

it("screenings are grouped by the day at the cinema", () => {
  const at = (name: string, startTime: string) => ({ name, startTime });
  const days = byDay(
    [at("late", "2026-11-21T22:30:00Z"), at("early", "2026-11-21T10:00:00Z"), at("next", "2026-11-22T09:00:00Z")],
    "Europe/Moscow",
  );
  expect(days.map((day) => [day.date, day.screenings.map((one) => one.name)])).toEqual([
    ["2026-11-21", ["early"]],
    ["2026-11-22", ["late", "next"]],
  ]);
});

it("a cinema's city is said once", () => {
  expect(placeOf({ name: "c", city: "Lisbon", address: "Largo 1, Lisbon" })).toBe("Largo 1, Lisbon");
  expect(placeOf({ name: "c", city: "Lisbon", address: "Largo 1" })).toBe("Largo 1, Lisbon");
  expect(placeOf({ name: "c", city: "Lisbon" })).toBe("Lisbon");
  expect(placeOf({ name: "c" })).toBe("");
});
