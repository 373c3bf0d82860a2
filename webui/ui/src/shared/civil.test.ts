import { describe, expect, it } from "vitest";
import { addDays, addMonths, civilOf, daysBetween, isCivil, sameDayInMonth, todayIn, weekday, weeksOf } from "./civil";

describe("civil dates", () => {
  it("count days across months, years and clock changes", () => {
    expect(addDays("2026-12-31", 1)).toBe("2027-01-01");
    expect(addDays("2028-02-28", 1)).toBe("2028-02-29");
    expect(addDays("2026-03-29", 1)).toBe("2026-03-30"); // Summer time begins in Europe.
    expect(daysBetween("2026-10-20", "2026-11-02")).toBe(13);
    expect(daysBetween("2026-11-02", "2026-10-20")).toBe(-13);
  });

  it("move by months to the last day where there is no such day", () => {
    expect(addMonths("2026-11-21", 2)).toBe("2027-01-01");
    expect(sameDayInMonth("2027-01-31", 1)).toBe("2027-02-28");
    expect(sameDayInMonth("2027-03-15", -1)).toBe("2027-02-15");
  });

  it("know which texts are dates", () => {
    expect(isCivil("2026-11-21")).toBe(true);
    expect(isCivil("2026-02-30")).toBe(false);
    expect(isCivil("F7")).toBe(false);
  });

  it("depend on where one is", () => {
    const instant = new Date("2026-11-21T23:30:00Z");
    expect(todayIn("Europe/Lisbon", instant)).toBe("2026-11-21");
    expect(todayIn("Asia/Tokyo", instant)).toBe("2026-11-22");
    expect(todayIn("Nowhere/Town", instant)).toBe("2026-11-21");
    expect(civilOf("2026-11-22T02:00:00Z", "America/New_York")).toBe("2026-11-21");
  });

  it("lie in weeks that begin on Monday", () => {
    expect(weekday("2026-11-23")).toBe(0);
    const weeks = weeksOf("2026-11-15");
    expect(weeks[0]).toEqual([undefined, undefined, undefined, undefined, undefined, undefined, "2026-11-01"]);
    expect(weeks.flat().filter(Boolean)).toHaveLength(30);
    expect(weeks.every((week) => week.length === 7)).toBe(true);
  });
});
