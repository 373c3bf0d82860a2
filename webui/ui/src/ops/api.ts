// The calls of the operators' app.
import { all, get, post } from "../shared/api/client";
import { ApiError } from "../shared/api/error";
import type {
  Booking,
  BookingState,
  Cinema,
  Hotel,
  HotelOccupancy,
  Rollout,
  RolloutChange,
  Screening,
  ScreeningLoadFactor,
} from "../shared/api/types";
import type { Civil } from "../shared/civil";

export const listHotels = (signal: AbortSignal) => all<Hotel>("hotels", "hotels", {}, signal);
export const listCinemas = (signal: AbortSignal) => all<Cinema>("cinemas", "cinemas", {}, signal);

export interface BookingFilter {
  venue: string;
  state: BookingState | "";
}

export const searchBookings = (filter: BookingFilter, pageToken: string | undefined, signal: AbortSignal) =>
  get<{ bookings?: Booking[]; nextPageToken?: string }>("bookings:search", {
    query: { ...filter, pageSize: 50, pageToken },
    signal,
  });

/** Asked each second: a lost answer is not worth repeating. */
export async function listRollouts(signal: AbortSignal): Promise<Rollout[]> {
  const answer = await get<{ rollouts?: Rollout[] }>("rollouts", { query: { pageSize: 1000 }, signal, attempts: 1 });
  return answer.rollouts ?? [];
}

export const listChanges = (rollout: string, signal: AbortSignal) =>
  get<{ changes?: RolloutChange[] }>(`${rollout}/changes`, { query: { pageSize: 20 }, signal });

export interface Change {
  actor: string;
  reason: string;
  /** What was seen: a change that came in between is not overwritten. */
  etag: string | undefined;
}

// Steering carries no request id; it is asked once, and the etag keeps a repetition from undoing someone else's change.
const once = { attempts: 1 };

export const setPercent = (rollout: string, percent: number, change: Change) =>
  post<Rollout>(`${rollout}:setPercent`, { percent, ...change }, once);

export const unsetPercent = (rollout: string, change: Change) =>
  post<Rollout>(`${rollout}:unsetPercent`, { ...change }, once);

export const occupancy = (hotel: string, startDate: Civil, endDate: Civil, signal: AbortSignal) =>
  get<HotelOccupancy>(`${hotel}:occupancy`, { query: { startDate, endDate }, signal });

export interface ScreeningOfDay {
  cinema: Cinema;
  screening: Screening;
  /** Absent until the feed has brought the screening to the reports. */
  report: ScreeningLoadFactor | undefined;
}

/** The day is each cinema's own. At most 50 screenings a cinema: each costs a call. */
export async function screeningLoads(date: Civil, signal: AbortSignal): Promise<ScreeningOfDay[]> {
  const cinemas = await listCinemas(signal);
  const perCinema = cinemas.map(async (cinema) => {
    const query = { date, pageSize: 50 };
    const { screenings } = await get<{ screenings?: Screening[] }>(`${cinema.name}/screenings`, { query, signal });
    const reported = (screenings ?? []).map(async (screening) => ({
      cinema,
      screening,
      report: await loadFactor(screening.name, signal),
    }));
    return Promise.all(reported);
  });
  return (await Promise.all(perCinema)).flat();
}

async function loadFactor(screening: string, signal: AbortSignal): Promise<ScreeningLoadFactor | undefined> {
  try {
    return await get<ScreeningLoadFactor>(`${screening}:loadFactor`, { signal });
  } catch (error) {
    if (error instanceof ApiError && error.code === 404) return undefined;
    throw error;
  }
}
