import { describe, expect, it } from "vitest";
import type { Seat } from "../shared/api/types";
import { categories, isFree, isUnsold, moveFocus, planOf, SEATS_MAX, toggle, totalOf } from "./seats";

function seat(id: string, x: number, y: number, extra: Partial<Seat> = {}): Seat {
  const price = { currencyCode: "EUR", amountMinor: "850" };
  return { id, row: id.charAt(0), number: Number(id.slice(1)), x, y, category: "standard", price, state: "STATE_AVAILABLE", ...extra };
}

// An aisle after the second column, and a second row of two sofas in the middle. x of 0 is absent, as in protobuf JSON.
const { x: _, ...first } = seat("A1", 0, 0);
const sofa = { category: "sofa", price: { currencyCode: "EUR", amountMinor: "1450" } };
const seats: Seat[] = [
  seat("A3", 3, 0, { state: "STATE_TAKEN" }),
  first,
  seat("A2", 1, 0),
  seat("A4", 4, 0),
  seat("B1", 1, 2, sofa),
  seat("B2", 3, 2, sofa),
];
const { price: __, ...unsold } = seat("C1", 0, 3, { category: "box", state: "STATE_NOT_SOLD" });
const plan = planOf(seats);

describe("the plan", () => {
  it("orders lines and seats and keeps the aisles", () => {
    expect(plan.lines.map((line) => line.seats.map((one) => one.id))).toEqual([["A1", "A2", "A3", "A4"], ["B1", "B2"]]);
    expect(plan.columns).toBe(5);
    expect(planOf([]).columns).toBe(0);
  });

  it("names each kind of seat once, cheapest first", () => {
    expect(categories(seats).map((kind) => kind.category)).toEqual(["standard", "sofa"]);
  });

  it("names no kind of seat that has no price", () => {
    expect(categories([unsold, first]).map((kind) => kind.category)).toEqual(["standard"]);
  });
});

describe("arrow keys", () => {
  const go = (from: string, key: string, ctrl = false): string | undefined => moveFocus(plan, from, key, ctrl);

  it("lead over aisles and taken seats, and stop at the edges", () => {
    expect(go("A2", "ArrowRight")).toBe("A3");
    expect(go("A1", "ArrowLeft")).toBe("A1");
    expect(go("A4", "ArrowRight")).toBe("A4");
  });

  it("lead to the nearest seat of the next line", () => {
    expect(go("A4", "ArrowDown")).toBe("B2");
    expect(go("A1", "ArrowDown")).toBe("B1");
    expect(go("B2", "ArrowUp")).toBe("A3");
    expect(go("B1", "ArrowDown")).toBe("B1");
  });

  it("and Home and End lead to the ends of a line or of the hall", () => {
    expect(go("A3", "Home")).toBe("A1");
    expect(go("A1", "End")).toBe("A4");
    expect(go("A1", "End", true)).toBe("B2");
    expect(go("B2", "Home", true)).toBe("A1");
    expect(go("A1", "Enter")).toBeUndefined();
    expect(go("Z9", "Home")).toBeUndefined();
  });
});

describe("choosing", () => {
  it("takes a free seat and gives it back", () => {
    expect(toggle([], first)).toEqual(["A1"]);
    expect(toggle(["A1", "A2"], first)).toEqual(["A2"]);
  });

  it("leaves taken seats, except those of the booking that is being changed", () => {
    const taken = seats[0] as Seat;
    expect(toggle([], taken)).toEqual([]);
    expect(toggle([], taken, true)).toEqual(["A3"]);
  });

  it("leaves seats that are not sold, which are not the same as taken ones", () => {
    expect(toggle([], unsold)).toEqual([]);
    expect([isFree(unsold), isUnsold(unsold), isUnsold(seats[0] as Seat)]).toEqual([false, true, false]);
  });

  it("stops at the limit of one booking", () => {
    const many = Array.from({ length: SEATS_MAX }, (_, index) => `X${index}`);
    expect(toggle(many, first)).toEqual(many);
  });

  it("adds up", () => {
    expect(totalOf(seats, ["A1", "B1"])).toEqual({ currencyCode: "EUR", amountMinor: "2300" });
    expect(totalOf(seats, [])).toBeUndefined();
  });
});
