import { afterEach, expect, it, vi } from "vitest";
import { all, client, idIn, of, setToken } from "./client";
import { ApiError } from "./error";
import type { paths } from "./generated/public";

const api = client<paths>();

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
  setToken(undefined);
});

/** What was asked, with the bodies that were sent. */
interface Asked {
  requests: Request[];
  bodies: string[];
}

function answering(...answers: (Response | Error)[]): Asked {
  const asked: Asked = { requests: [], bodies: [] };
  vi.stubGlobal("fetch", async (request: Request) => {
    asked.requests.push(request);
    asked.bodies.push(await request.clone().text());
    const next = answers.shift();
    if (!next || next instanceof Error) throw next ?? new Error("asked too often");
    return next;
  });
  return asked;
}

it("knows the ids in a resource name", () => {
  expect(idIn("hotels/3/roomTypes/7", "hotels")).toBe("3");
  expect(idIn("hotels/3/roomTypes/7", "roomTypes")).toBe("7");
  expect(idIn("hotels/3", "movies")).toBe("");
});

it("puts ids and parameters where the document says", async () => {
  const { requests } = answering(Response.json({}), Response.json({}));
  const params = { path: { hotel: "a/b" }, query: { checkInDate: "2026-12-01", checkOutDate: "2026-12-03" } };
  await of(api.GET("/v1/hotels/{hotel}:searchAvailability", { params }));
  const [request] = requests;
  expect(request?.url).toBe(
    "http://localhost/v1/hotels/a%2Fb:searchAvailability?checkInDate=2026-12-01&checkOutDate=2026-12-03",
  );
});

it("repeats a call when no answer came, with the same body", async () => {
  vi.useFakeTimers();
  const { bodies } = answering(new TypeError("offline"), new Response("", { status: 503 }), Response.json({ booking: { name: "bookings/1" } }));
  const answer = of(api.POST("/v1/bookings:hold", { body: { requestId: "one" } }));
  await vi.runAllTimersAsync();
  expect((await answer).booking?.name).toBe("bookings/1");
  expect(bodies).toEqual(Array(3).fill('{"requestId":"one"}'));
});

it("asks once where it is told to", async () => {
  const { requests } = answering(new Response("", { status: 503 }));
  await expect(of(client<paths>(1).GET("/v1/hotels"))).rejects.toMatchObject({ code: 503 });
  expect(requests).toHaveLength(1);
});

it("does not repeat a refusal", async () => {
  const { requests } = answering(new Response("{}", { status: 400 }));
  await expect(of(api.GET("/v1/hotels"))).rejects.toBeInstanceOf(ApiError);
  expect(requests).toHaveLength(1);
});

it("knows what is no answer of the API", async () => {
  answering(new Response("<html>"), new Response(""));
  await expect(of(api.GET("/v1/hotels"))).rejects.toMatchObject({ status: "INTERNAL" });
  await expect(of(api.GET("/v1/hotels"))).rejects.toMatchObject({ status: "INTERNAL" });
});

it("sends the token where there is one", async () => {
  setToken("secret");
  const { requests } = answering(Response.json({}));
  await of(api.GET("/v1/hotels"));
  expect(requests[0]?.headers.get("authorization")).toBe("Bearer secret");
  expect(requests[0]?.credentials).toBe("same-origin");
});

it("reads all pages of a list", async () => {
  const { requests } = answering(
    Response.json({ hotels: [{ name: "hotels/1" }], nextPageToken: "more" }),
    Response.json({ hotels: [{ name: "hotels/2" }] }),
  );
  const hotels = await all(
    (query) => api.GET("/v1/hotels", { params: { query } }),
    (answer) => answer.hotels,
  );
  expect(hotels.map((hotel) => hotel.name)).toEqual(["hotels/1", "hotels/2"]);
  expect(requests[1]?.url).toContain("pageToken=more");
});
