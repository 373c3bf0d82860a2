import { expect, it } from "vitest";
import { ApiError } from "./error";
import { Intent, uuid } from "./intent";

function counting(): Intent {
  let count = 0;
  return new Intent(() => `id-${(count += 1)}`);
}

const fail = (code: number) => async (): Promise<string> => {
  throw new ApiError(code, "", "");
};

it("repeats the id after a lost answer, so that nothing is taken twice", async () => {
  const intent = counting();
  for (const code of [0, 503, 500]) await expect(intent.run("two nights", fail(code))).rejects.toThrow();
  expect(await intent.run("two nights", async (id) => id)).toBe("id-1");
});

it("takes a new id for other content", async () => {
  const intent = counting();
  await expect(intent.run({ seats: ["F7"] }, fail(0))).rejects.toThrow();
  expect(await intent.run({ seats: ["F8"] }, async (id) => id)).toBe("id-2");
});

it("takes a new id after a clear answer, yes or no", async () => {
  const intent = counting();
  expect(await intent.run("a", async (id) => id)).toBe("id-1");
  await expect(intent.run("a", fail(400))).rejects.toThrow();
  expect(await intent.run("a", async (id) => id)).toBe("id-3");
});

it("ids are random UUIDs", () => {
  const ids = Array.from({ length: 50 }, uuid);
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(new Set(ids).size).toBe(50);
});
