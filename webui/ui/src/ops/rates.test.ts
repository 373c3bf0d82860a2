import { describe, expect, it } from "vitest";
import { parsePercent } from "./percent";
import { HISTORY_MS, push, rates, sampleOf, WINDOW_MS, type Sample } from "./rates";

const at = (second: number, legacy: number, grpc = 0): Sample => ({ atMs: second * 1000, legacy, grpc });

describe("rates", () => {
  it("are what was counted over the window, per second", () => {
    const samples = [at(0, 100), at(1, 110), at(2, 130, 4)];
    expect(rates(samples)).toEqual([
      { atMs: 1000, legacy: 10, grpc: 0 },
      { atMs: 2000, legacy: 15, grpc: 2 },
    ]);
  });

  it("forget what is older than the window", () => {
    const busy = Array.from({ length: 20 }, (_, second) => at(second, Math.min(second, 10) * 50));
    expect(rates(busy).at(-1)).toMatchObject({ legacy: 0 });
    expect(WINDOW_MS).toBe(5000);
  });

  it("survive a restart of the gateway", () => {
    expect(rates([at(0, 1000), at(1, 8)]).at(-1)).toMatchObject({ legacy: 8 });
  });

  it("need two samples", () => {
    expect(rates([])).toEqual([]);
    expect(rates([at(0, 5)])).toEqual([]);
  });
});

it("old samples are dropped, and one that is not newer is replaced", () => {
  const kept = push([at(0, 1), at(80, 2), at(90, 3)], at(90, 4));
  expect(kept).toEqual([at(80, 2), at(90, 4)]);
  expect(HISTORY_MS).toBe(60_000);
});

it("counters are text, absent when zero", () => {
  expect(sampleOf({ grpc: "12" }, 5)).toEqual({ atMs: 5, legacy: 0, grpc: 12 });
  expect(sampleOf(undefined, 5)).toEqual({ atMs: 5, legacy: 0, grpc: 0 });
});

it("a percentage has at most two decimals and is never out of range", () => {
  expect(["0", "25", "12,5", " 99.99 ", "100"].map(parsePercent)).toEqual([0, 25, 12.5, 99.99, 100]);
  expect(["", "-1", "101", "1.234", "1e2", "abc"].map(parsePercent)).toEqual(Array(6).fill(undefined));
});
