import { afterEach, expect, it, vi } from "vitest";
import { ApiError } from "../shared/api/error";
import { cancel, feeOf, searchAvailability } from "./api";

afterEach(() => {
  vi.unstubAllGlobals();
});

it("reads all pages of what is free", async () => {
  const fetch = vi
    .fn()
    .mockResolvedValueOnce(Response.json({ roomTypes: [{ roomType: "hotels/1/roomTypes/a" }], nextPageToken: "more" }))
    .mockResolvedValueOnce(Response.json({ roomTypes: [{ roomType: "hotels/1/roomTypes/b" }] }));
  vi.stubGlobal("fetch", fetch);
  const found = await searchAvailability("hotels/1", "2026-12-01", "2026-12-03");
  expect(found.map((one) => one.roomType)).toEqual(["hotels/1/roomTypes/a", "hotels/1/roomTypes/b"]);
  const [, second] = fetch.mock.calls.map((call) => (call as [Request])[0].url);
  expect(second).toContain("checkInDate=2026-12-01");
  expect(second).toContain("pageToken=more");
});

it("knows the fee of a refused cancellation and accepts it", async () => {
  const facts = { fee_minor: "500", currency_code: "EUR" };
  const fee = feeOf(new ApiError(400, "FAILED_PRECONDITION", "", "OUTSIDE_CANCELLATION_WINDOW", [], facts));
  expect(fee).toEqual({ amountMinor: "500", currencyCode: "EUR" });
  expect(feeOf(new ApiError(400, "FAILED_PRECONDITION", "", "BOOKING_STATE", [], facts))).toBeUndefined();
  const sent: unknown[] = [];
  const fetch = vi.fn(async (request: Request) => {
    sent.push(await request.json());
    return Response.json({ booking: { name: "bookings/1" } });
  });
  vi.stubGlobal("fetch", fetch);
  await cancel({ name: "bookings/1" }, fee, "one");
  const [request] = fetch.mock.calls[0] as unknown as [Request];
  expect(request.url).toMatch(/\/v1\/bookings\/1:cancel$/);
  expect(sent).toEqual([{ acceptedFee: fee, requestId: "one" }]);
});
