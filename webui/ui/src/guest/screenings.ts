// Screenings as guests look for them: by cinema, then by day of the cinema's own calendar, then by time.
import type { Cinema, Screening } from "../shared/api/types";
import { civilOf, type Civil } from "../shared/civil";

export interface Day {
  date: Civil;
  screenings: Screening[];
}

export function byDay(screenings: readonly Screening[], timeZone: string | undefined): Day[] {
  const days = new Map<Civil, Screening[]>();
  const start = ({ startTime }: Screening): number => Date.parse(startTime ?? "");
  const ordered = [...screenings].sort((a, b) => start(a) - start(b));
  for (const screening of ordered) {
    const date = civilOf(screening.startTime ?? "", timeZone);
    days.set(date, [...(days.get(date) ?? []), screening]);
  }
  return [...days].map(([date, list]) => ({ date, screenings: list }));
}

/** Where a cinema stands, its city said once. */
export function placeOf(cinema: Cinema): string {
  const { city, address } = cinema;
  return city && !address?.includes(city) ? [address, city].filter(Boolean).join(", ") : (address ?? "");
}

export interface AtCinema {
  cinema: Cinema;
  days: Day[];
}
