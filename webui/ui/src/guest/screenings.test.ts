import { expect, it } from "vitest";
import { byDay } from "./screenings";

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
