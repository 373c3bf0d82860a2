// Messages with parameters and plurals, and nothing more: a dictionary is an object, its keys are its type, and a
// language that lacks a key does not compile.

export type Lang = "en" | "ru";
export const LANGS: readonly Lang[] = ["en", "ru"];

/** Plain text with `{name}` places, or one text per plural form of the parameter `n` (CLDR categories). */
export type Message = string | { readonly one?: string; readonly few?: string; readonly many?: string; readonly other: string };
export type Dictionary<K extends string> = Readonly<Record<K, Message>>;
export type Params = Readonly<Record<string, string | number>>;

const plurals: Record<Lang, Intl.PluralRules> = { en: new Intl.PluralRules("en"), ru: new Intl.PluralRules("ru") };

export function render(message: Message, lang: Lang, params: Params = {}): string {
  const text = typeof message === "string" ? message : formFor(message, lang, Number(params["n"] ?? 0));
  return text.replace(/\{(\w+)\}/g, (place, name: string) => String(params[name] ?? place));
}

function formFor(message: Exclude<Message, string>, lang: Lang, n: number): string {
  const form = plurals[lang].select(n);
  return (form === "zero" || form === "two" ? undefined : message[form]) ?? message.other;
}

/** The language to begin with: the one chosen before, else the first of the browser's that we speak, else English. */
export function initialLang(stored: string | null, preferred: readonly string[]): Lang {
  const known = [stored ?? "", ...preferred].map((tag) => tag.slice(0, 2).toLowerCase());
  return known.find((tag): tag is Lang => (LANGS as readonly string[]).includes(tag)) ?? "en";
}
