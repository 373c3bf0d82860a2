import { beforeAll, expect, it, vi } from "vitest";

let match: (pattern: string, path: string) => Record<string, string> | undefined;
beforeAll(async () => {
  vi.stubGlobal("location", { pathname: "/app/", search: "" });
  ({ match } = await import("./router.svelte"));
});

it("paths match by their parts", () => {
  expect(match("/app", "/app/")).toEqual({});
  expect(match("/app/hotels/:hotel", "/app/hotels/7/")).toEqual({ hotel: "7" });
  expect(match("/app/hotels/:hotel", "/app/movies/7")).toBeUndefined();
  expect(match("/app/hotels/:hotel", "/app/hotels/7/rooms")).toBeUndefined();
  expect(match("/app/hotels/:hotel", "/app/hotels/a%20b")).toEqual({ hotel: "a b" });
  expect(match("/app/hotels/:hotel", "/app/hotels/%zz")).toEqual({ hotel: "%zz" });
});
