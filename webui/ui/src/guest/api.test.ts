import { afterEach, expect, it, vi } from "vitest";
import { searchAvailability } from "./api";

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
  const [, second] = fetch.mock.calls.map((call) => (call as [string])[0]);
  expect(second).toContain("checkInDate=2026-12-01");
  expect(second).toContain("pageToken=more");
});
