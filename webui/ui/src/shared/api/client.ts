// One way to call the API, typed by the gateway's OpenAPI documents. Reads are repeated when no answer came, and so are
// writes, because every write carries a request id that makes its repetition safe (AIP-155). Three attempts, 15 seconds
// each; a page can always be left.
import createClient, { type Client } from "openapi-fetch";
import { ApiError, noAnswer, parseError } from "./error";

const ATTEMPTS = 3;
const TIMEOUT_MS = 15_000;
const FIRST_PAUSE_MS = 300;
const PAGES_MAX = 20;

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

/** A client of one document's paths; `attempts` is how often it asks before giving up. */
export function client<Paths extends {}>(attempts = ATTEMPTS): Client<Paths> {
  return createClient<Paths>({
    // Tests have no page that an address could be relative to.
    baseUrl: globalThis.location?.origin ?? "http://localhost",
    credentials: "same-origin",
    fetch: (request) => repeated(request, attempts),
  });
}

async function repeated(request: Request, attempts: number): Promise<Response> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await once(request.clone());
    } catch (error) {
      const final = !(error instanceof ApiError) || !error.retryable || attempt >= attempts;
      if (final || request.signal.aborted) throw error;
      await pause(FIRST_PAUSE_MS * 3 ** (attempt - 1));
    }
  }
}

/** An answer that is read and is a success, or an error. */
async function once(request: Request): Promise<Response> {
  if (authorization) request.headers.set("authorization", authorization);
  const signal = AbortSignal.any([request.signal, AbortSignal.timeout(TIMEOUT_MS)]);
  let response: Response;
  let text: string;
  try {
    response = await fetch(request, { signal });
    text = await response.text();
  } catch (cause) {
    if (request.signal.aborted) throw cause;
    throw noAnswer(cause);
  }
  noteClock(response.headers.get("date"));
  if (!response.ok) throw parseError(response.status, text);
  const { status, headers } = response;
  return new Response(text, { status, headers });
}

/** What a call answers; failures have been thrown. */
export async function of<Answer>(call: Promise<{ data?: Answer; response: Response }>): Promise<Answer> {
  const { data, response } = await call.catch((error: unknown) => {
    if (error instanceof SyntaxError) throw new ApiError(200, "INTERNAL", "the answer is not JSON");
    throw error;
  });
  if (data === undefined) throw new ApiError(response.status, "INTERNAL", "the answer is empty");
  return data;
}

/** The id in a resource name: `3` of `hotels/3/roomTypes/7` for `hotels`. */
export function idIn(name: string, collection: string): string {
  const steps = name.split("/");
  const at = steps.indexOf(collection);
  return at < 0 ? "" : (steps[at + 1] ?? "");
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

/** What asks for one page of a list. */
export interface Page {
  pageSize: number;
  pageToken?: string;
}

/** All pages of a list, up to 20 of them: what a page for people can still show. */
export async function all<Answer extends { nextPageToken?: string }, Item>(
  ask: (page: Page) => Promise<{ data?: Answer; response: Response }>,
  itemsOf: (answer: Answer) => readonly Item[] | undefined,
): Promise<Item[]> {
  const items: Item[] = [];
  const page: Page = { pageSize: 200 };
  for (let count = 0; count < PAGES_MAX; count += 1) {
    const answer = await of(ask({ ...page }));
    items.push(...(itemsOf(answer) ?? []));
    if (!answer.nextPageToken) break;
    page.pageToken = answer.nextPageToken;
  }
  return items;
}
