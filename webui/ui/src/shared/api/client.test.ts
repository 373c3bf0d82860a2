import { afterEach, expect, it, vi } from "vitest";
import { all, get, post, setToken, urlOf } from "./client";
import { ApiError } from "./error";

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
  setToken(undefined);
});

function answering(...answers: (Response | Error)[]): ReturnType<typeof vi.fn> {
  const fetch = vi.fn(async () => {
    const next = answers.shift();
    if (!next || next instanceof Error) throw next ?? new Error("asked too often");
    return next;
  });
  vi.stubGlobal("fetch", fetch);
  return fetch;
}

it("leaves absent parameters out of the address", () => {
  expect(urlOf("bookings", { pageSize: 20, pageToken: undefined, state: "" })).toBe("/v1/bookings?pageSize=20");
  expect(urlOf("hotels/1:searchAvailability")).toBe("/v1/hotels/1:searchAvailability");
});

it("repeats a call when no answer came, with the same body", async () => {
  vi.useFakeTimers();
  const fetch = answering(new TypeError("offline"), new Response("", { status: 503 }), Response.json({ ok: 1 }));
  const answer = post("bookings:hold", { requestId: "one" });
  await vi.runAllTimersAsync();
  expect(await answer).toEqual({ ok: 1 });
  const bodies = fetch.mock.calls.map((call) => (call as [string, RequestInit])[1].body);
  expect(new Set(bodies)).toEqual(new Set(['{"requestId":"one"}']));
  expect(bodies).toHaveLength(3);
});

it("does not repeat a refusal", async () => {
  const fetch = answering(new Response("{}", { status: 400 }));
  await expect(get("x")).rejects.toBeInstanceOf(ApiError);
  expect(fetch).toHaveBeenCalledTimes(1);
});

it("sends the token where there is one", async () => {
  setToken("secret");
  const fetch = answering(Response.json({}));
  await get("rollouts");
  const init = (fetch.mock.calls[0] as unknown as [string, RequestInit])[1];
  expect(init.headers).toMatchObject({ authorization: "Bearer secret" });
  expect(init.credentials).toBe("same-origin");
});

it("reads all pages of a list", async () => {
  const fetch = answering(
    Response.json({ hotels: [{ name: "hotels/1" }], nextPageToken: "more" }),
    Response.json({ hotels: [{ name: "hotels/2" }] }),
  );
  expect(await all("hotels", "hotels")).toHaveLength(2);
  expect((fetch.mock.calls[1] as unknown as [string])[0]).toContain("pageToken=more");
});
