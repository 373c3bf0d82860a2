// The plan of a hall: seats by line and column, aisles where columns are missing, and where the arrow keys lead.
import type { Money, Seat } from "../shared/api/types";
import { sum } from "../shared/format";

/** As many seats as one booking may have. */
export const SEATS_MAX = 50;

export interface Line {
  y: number;
  row: string;
  seats: Seat[];
}

export interface Plan {
  lines: Line[];
  /** Columns of the widest line; a seat's column is `x - left + 1`. */
  columns: number;
  left: number;
}

/** `F7`. Every seat has one, which its contract cannot say. */
export function idOf(seat: Seat): string {
  return seat.id ?? "";
}

export function isFree(seat: Seat): boolean {
  return seat.state === "STATE_AVAILABLE";
}

/** Whether nobody can have the seat: it has no price, or the screening has started. */
export function isUnsold(seat: Seat): boolean {
  return seat.state === "STATE_NOT_SOLD";
}

export function planOf(seats: readonly Seat[]): Plan {
  const lines = new Map<number, Line>();
  for (const seat of seats) {
    const y = seat.y ?? 0;
    const line = lines.get(y) ?? { y, row: seat.row ?? "", seats: [] };
    line.seats.push(seat);
    lines.set(y, line);
  }
  const columns = seats.map((seat) => seat.x ?? 0);
  const left = Math.min(...columns);
  const ordered = [...lines.values()].sort((a, b) => a.y - b.y);
  for (const line of ordered) line.seats.sort((a, b) => (a.x ?? 0) - (b.x ?? 0));
  return { lines: ordered, left, columns: seats.length === 0 ? 0 : Math.max(...columns) - left + 1 };
}

/** The seat that a key leads to; undefined for keys that are not the plan's. At an edge the focus stays. */
export function moveFocus(plan: Plan, from: string, key: string, ctrl: boolean): string | undefined {
  const at = plan.lines.findIndex((line) => line.seats.some((seat) => seat.id === from));
  const line = plan.lines[at];
  if (!line) return undefined;
  const index = line.seats.findIndex((seat) => seat.id === from);
  switch (key) {
    case "ArrowLeft":
      return line.seats[Math.max(0, index - 1)]?.id;
    case "ArrowRight":
      return line.seats[Math.min(line.seats.length - 1, index + 1)]?.id;
    case "ArrowUp":
      return nearest(plan.lines[Math.max(0, at - 1)], line.seats[index]);
    case "ArrowDown":
      return nearest(plan.lines[Math.min(plan.lines.length - 1, at + 1)], line.seats[index]);
    case "Home":
      return (ctrl ? plan.lines[0] : line)?.seats[0]?.id;
    case "End":
      return (ctrl ? plan.lines.at(-1) : line)?.seats.at(-1)?.id;
    default:
      return undefined;
  }
}

function nearest(line: Line | undefined, from: Seat | undefined): string | undefined {
  const x = from?.x ?? 0;
  const distance = (seat: Seat): number => Math.abs((seat.x ?? 0) - x);
  return line?.seats.reduce((best, seat) => (distance(seat) < distance(best) ? seat : best)).id;
}

/** Chooses a seat or gives it back; taken seats and seats beyond the limit stay as they are. */
export function toggle(chosen: readonly string[], seat: Seat, allowed = isFree(seat)): string[] {
  const own = idOf(seat);
  if (chosen.includes(own)) return chosen.filter((id) => id !== own);
  if (!allowed || chosen.length >= SEATS_MAX) return [...chosen];
  return [...chosen, own];
}

export function totalOf(seats: readonly Seat[], chosen: readonly string[]): Money | undefined {
  return sum(seats.filter((seat) => chosen.includes(idOf(seat))).map((seat) => seat.price));
}

/** The kinds of seats with their prices, cheapest first, for the legend. */
export function categories(seats: readonly Seat[]): { category: string; price: Money | undefined }[] {
  const kinds = new Map<string, Money | undefined>();
  for (const seat of seats) if (seat.price && !kinds.has(seat.category ?? "")) kinds.set(seat.category ?? "", seat.price);
  return [...kinds]
    .map(([category, price]) => ({ category, price }))
    .sort((a, b) => Number(a.price?.amountMinor ?? 0) - Number(b.price?.amountMinor ?? 0));
}
