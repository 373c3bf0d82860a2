// One way to call the API. Reads are repeated when no answer came, and so are writes, because every write carries a
// request id that makes its repetition safe (AIP-155). Three attempts, 15 seconds each; a page can always be left.
import { ApiError, noAnswer, parseError } from "./error";

const ATTEMPTS = 3;
const TIMEOUT_MS = 15_000;
const FIRST_PAUSE_MS = 300;

export type Query = Record<string, string | number | undefined>;

export interface Call {
  query?: Query;
  body?: unknown;
  signal?: AbortSignal;
  /** How often to ask before giving up; polling asks once and comes back by itself. */
  attempts?: number;
}

let authorization: string | undefined;
let clockSkewMs = 0;

/** Sent as `Authorization: Bearer` with every call from now on; undefined for none. */
export function setToken(token: string | undefined): void {
  authorization = token ? `Bearer ${token}` : undefined;
}

/** The time by the server's clock: countdowns must not depend on a phone that is minutes off. */
export function serverNow(): number {
  return Date.now() + clockSkewMs;
}

export function urlOf(path: string, query: Query = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  if (given.length === 0) return `/v1/${path}`;
  return `/v1/${path}?${new URLSearchParams(given.map(([key, value]) => [key, String(value)]))}`;
}

export function get<T>(path: string, call: Call = {}): Promise<T> {
  return request<T>("GET", path, call);
}

export function post<T>(path: string, body: unknown, call: Call = {}): Promise<T> {
  return request<T>("POST", path, { ...call, body });
}

async function request<T>(method: string, path: string, call: Call): Promise<T> {
  const attempts = call.attempts ?? ATTEMPTS;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await once<T>(method, path, call);
    } catch (error) {
      const final = !(error instanceof ApiError) || !error.retryable || attempt >= attempts;
      if (final || call.signal?.aborted) throw error;
      await pause(FIRST_PAUSE_MS * 3 ** (attempt - 1));
    }
  }
}

async function once<T>(method: string, path: string, call: Call): Promise<T> {
  const headers: Record<string, string> = { accept: "application/json" };
  if (call.body !== undefined) headers["content-type"] = "application/json";
  if (authorization) headers["authorization"] = authorization;
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const init: RequestInit = {
    method,
    headers,
    credentials: "same-origin",
    signal: call.signal ? AbortSignal.any([call.signal, timeout]) : timeout,
  };
  if (call.body !== undefined) init.body = JSON.stringify(call.body);
  let response: Response;
  let text: string;
  try {
    response = await fetch(urlOf(path, call.query), init);
    text = await response.text();
  } catch (cause) {
    if (call.signal?.aborted) throw cause;
    throw noAnswer(cause);
  }
  noteClock(response.headers.get("date"));
  if (!response.ok) throw parseError(response.status, text);
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new ApiError(response.status, "INTERNAL", "the answer is not JSON");
  }
}

/** The Date header has whole seconds: smaller differences are noise. */
function noteClock(date: string | null): void {
  const server = date ? Date.parse(date) : Number.NaN;
  if (Number.isNaN(server)) return;
  const skew = server - Date.now();
  clockSkewMs = Math.abs(skew) > 2_000 ? skew : 0;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** All pages of a list, up to 20 of them: what a page for people can still show. */
export async function all<T>(path: string, field: string, query: Query = {}, signal?: AbortSignal): Promise<T[]> {
  const items: T[] = [];
  let pageToken: string | undefined;
  for (let page = 0; page < 20; page += 1) {
    const call: Call = { query: { ...query, pageSize: 200, pageToken } };
    if (signal) call.signal = signal;
    const answer = await get<Record<string, unknown>>(path, call);
    items.push(...((answer[field] as T[] | undefined) ?? []));
    pageToken = answer["nextPageToken"] as string | undefined;
    if (!pageToken) break;
  }
  return items;
}
