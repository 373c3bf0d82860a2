// The calls of the operators' app, by the gateway's document for operators.
import { all, client, idIn, of } from "../shared/api/client";
import { ApiError } from "../shared/api/error";
import type { paths } from "../shared/api/generated/ops";
import type { BookingState, Cinema, Rollout, Screening, ScreeningLoadFactor } from "../shared/api/types";
import type { Civil } from "../shared/civil";

const api = client<paths>();
// Polling comes back by itself, and steering carries no request id: its etag keeps a repetition from undoing someone
// else's change. Both are asked once.
const once = client<paths>(1);

const cinemaIn = (name: string) => ({ cinema: idIn(name, "cinemas") });
const rolloutIn = (name: string) => ({ rollout: idIn(name, "rollouts") });

export const listHotels = (signal: AbortSignal) =>
  all(
    (query) => api.GET("/v1/hotels", { params: { query }, signal }),
    (answer) => answer.hotels,
  );
export const listCinemas = (signal: AbortSignal) =>
  all(
    (query) => api.GET("/v1/cinemas", { params: { query }, signal }),
    (answer) => answer.cinemas,
  );

export interface BookingFilter {
  venue: string;
  state: BookingState | "";
}

export function searchBookings({ venue, state }: BookingFilter, pageToken: string | undefined, signal: AbortSignal) {
  const filter = { ...(venue ? { venue } : {}), ...(state ? { state } : {}) };
  const query = { ...filter, pageSize: 50, ...(pageToken ? { pageToken } : {}) };
  return of(api.GET("/v1/bookings:search", { params: { query }, signal }));
}

/** Asked each second: a lost answer is not worth repeating. */
export async function listRollouts(signal: AbortSignal): Promise<Rollout[]> {
  const answer = await of(once.GET("/v1/rollouts", { params: { query: { pageSize: 1000 } }, signal }));
  return answer.rollouts ?? [];
}

/** Asked again and again: a lost answer is not worth repeating. */
export const getRollout = (rollout: string, signal: AbortSignal) =>
  of(once.GET("/v1/rollouts/{rollout}", { params: { path: rolloutIn(rollout) }, signal }));

export const verifyHistory = (rollout: string, signal?: AbortSignal) =>
  of(api.GET("/v1/rollouts/{rollout}:verify", { params: { path: rolloutIn(rollout) }, ...(signal ? { signal } : {}) }));

export const listDifferences = (rollout: string, pageToken: string, signal?: AbortSignal) => {
  const query = { pageSize: 50, ...(pageToken ? { pageToken } : {}) };
  return of(
    api.GET("/v1/rollouts/{rollout}/differences", { params: { path: rolloutIn(rollout), query }, ...(signal ? { signal } : {}) }),
  );
};

export const listChanges = (rollout: string, signal: AbortSignal) =>
  of(api.GET("/v1/rollouts/{rollout}/changes", { params: { path: rolloutIn(rollout), query: { pageSize: 20 } }, signal }));

export interface Change {
  actor: string;
  reason: string;
  /** What was seen: a change that came in between is not overwritten. */
  etag: string | undefined;
}

const said = ({ actor, reason, etag }: Change) => ({ actor, reason, ...(etag ? { etag } : {}) });

export const setPercent = (rollout: string, percent: number, change: Change) =>
  of(
    once.POST("/v1/rollouts/{rollout}:setPercent", {
      params: { path: rolloutIn(rollout) },
      body: { percent, ...said(change) },
    }),
  );

export const unsetPercent = (rollout: string, change: Change) =>
  of(once.POST("/v1/rollouts/{rollout}:unsetPercent", { params: { path: rolloutIn(rollout) }, body: said(change) }));

/** A step by hand. */
export type Step = "shadow" | "promote" | "pause" | "resume" | "abort";

export function steer(rollout: string, step: Step, change: Change, confirmOneWay: boolean): Promise<Rollout> {
  const params = { path: rolloutIn(rollout) };
  const body = said(change);
  switch (step) {
    case "shadow":
      return of(once.POST("/v1/rollouts/{rollout}:set", { params, body: { ...body, stage: "STAGE_SHADOW" } }));
    case "promote":
      return of(once.POST("/v1/rollouts/{rollout}:promote", { params, body: { ...body, ...(confirmOneWay ? { confirmOneWay } : {}) } }));
    case "pause":
      return of(once.POST("/v1/rollouts/{rollout}:pause", { params, body }));
    case "resume":
      return of(once.POST("/v1/rollouts/{rollout}:resume", { params, body }));
    case "abort":
      return of(once.POST("/v1/rollouts/{rollout}:abort", { params, body }));
  }
}

export const occupancy = (hotel: string, startDate: Civil, endDate: Civil, signal: AbortSignal) => {
  const path = { hotel: idIn(hotel, "hotels") };
  return of(api.GET("/v1/hotels/{hotel}:occupancy", { params: { path, query: { startDate, endDate } }, signal }));
};

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
    const params = { path: cinemaIn(cinema.name), query: { date, pageSize: 50 } };
    const { screenings } = await of(api.GET("/v1/cinemas/{cinema}/screenings", { params, signal }));
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
  const path = { ...cinemaIn(screening), screening: idIn(screening, "screenings") };
  try {
    return await of(api.GET("/v1/cinemas/{cinema}/screenings/{screening}:loadFactor", { params: { path }, signal }));
  } catch (error) {
    if (error instanceof ApiError && error.code === 404) return undefined;
    throw error;
  }
}
