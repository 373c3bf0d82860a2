// Requests per second and side, from counters that are read each second. A counter that falls means that the gateway was
// restarted: what is in it then was counted since, so it is the difference.
import type { SideCounts } from "../shared/api/types";

export interface Sample {
  atMs: number;
  legacy: number;
  grpc: number;
}

export interface Rate {
  atMs: number;
  legacy: number;
  grpc: number;
}

/** How much of the past is shown. */
export const HISTORY_MS = 60_000;
/** Over how long a rate is averaged: long enough to be calm, short enough to follow the slider. */
export const WINDOW_MS = 5_000;

export function sampleOf(counts: SideCounts | undefined, atMs: number): Sample {
  return { atMs, legacy: Number(counts?.legacy ?? 0), grpc: Number(counts?.grpc ?? 0) };
}

/** The samples with one more, those older than the shown past left out. */
export function push(samples: readonly Sample[], next: Sample): Sample[] {
  const oldest = next.atMs - HISTORY_MS - WINDOW_MS;
  return [...samples.filter((sample) => sample.atMs >= oldest && sample.atMs < next.atMs), next];
}

function grown(before: number, after: number): number {
  return after >= before ? after - before : after;
}

/** The rate at a sample, over the window that ends there; undefined for the first, which has nothing before it. */
export function rateAt(samples: readonly Sample[], index: number): Rate | undefined {
  const last = samples[index];
  if (!last) return undefined;
  let first = index;
  while (first > 0 && last.atMs - (samples[first - 1]?.atMs ?? 0) <= WINDOW_MS) first -= 1;
  const seconds = (last.atMs - (samples[first]?.atMs ?? last.atMs)) / 1000;
  if (seconds <= 0) return undefined;
  const steps = samples.slice(first, index + 1);
  const total = (side: "legacy" | "grpc"): number =>
    steps.slice(1).reduce((all, step, before) => all + grown(steps[before]?.[side] ?? 0, step[side]), 0);
  return { atMs: last.atMs, legacy: total("legacy") / seconds, grpc: total("grpc") / seconds };
}

export function rates(samples: readonly Sample[]): Rate[] {
  return samples.map((_, index) => rateAt(samples, index)).filter((rate) => rate !== undefined);
}
