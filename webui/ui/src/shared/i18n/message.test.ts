import { describe, expect, it } from "vitest";
import { initialLang, render } from "./message";

describe("messages", () => {
  it("are filled in", () => {
    expect(render("{a} and {b}", "en", { a: 1, b: "two" })).toBe("1 and two");
    expect(render("{missing}", "en")).toBe("{missing}");
  });

  it("have the plural forms of their language", () => {
    const nights = { one: "{n} ночь", few: "{n} ночи", many: "{n} ночей", other: "{n} ночи" };
    const said = [1, 2, 5, 11, 21, 22].map((n) => render(nights, "ru", { n }));
    expect(said).toEqual(["1 ночь", "2 ночи", "5 ночей", "11 ночей", "21 ночь", "22 ночи"]);
    expect(render({ one: "{n} night", other: "{n} nights" }, "en", { n: 2 })).toBe("2 nights");
  });
});

it("the first language is the chosen one, else the browser's, else English", () => {
  expect(initialLang("ru", ["en-US"])).toBe("ru");
  expect(initialLang(null, ["de-DE", "ru-RU", "en"])).toBe("ru");
  expect(initialLang("xx", ["de"])).toBe("en");
});
