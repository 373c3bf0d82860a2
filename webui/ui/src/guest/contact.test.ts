import { expect, it } from "vitest";
import { contactOf, missing } from "./contact";

it("a guest needs a name and something like an address", () => {
  expect(missing({ name: " ", email: "a@b", phone: "" })).toBe("name");
  expect(missing({ name: "Ada", email: "ada", phone: "" })).toBe("email");
  expect(missing({ name: "Ada", email: "ada @b", phone: "" })).toBe("email");
  expect(missing({ name: "Ada", email: " ada@example.org ", phone: "" })).toBeUndefined();
});

it("an empty phone is not sent", () => {
  expect(contactOf({ name: " Ada ", email: "a@b", phone: " " })).toEqual({ displayName: "Ada", email: "a@b" });
});
