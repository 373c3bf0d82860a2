// The language in use: remembered on this device, and told to assistive technology through the `lang` attribute.
import { initialLang, render, type Dictionary, type Lang, type Params } from "./message";

const KEY = "banyan.lang";

function stored(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // Storage is switched off: the choice lasts until the page is left.
  }
}

export const locale = $state({ lang: initialLang(stored(), navigator.languages) });
document.documentElement.lang = locale.lang;

export function setLang(lang: Lang): void {
  locale.lang = lang;
  document.documentElement.lang = lang;
  try {
    localStorage.setItem(KEY, lang);
  } catch {
    // As above.
  }
}

export type Translate<K extends string> = (key: K, params?: Params) => string;

export function translator<K extends string>(dictionaries: Record<Lang, Dictionary<K>>): Translate<K> {
  return (key, params) => render(dictionaries[locale.lang][key], locale.lang, params);
}
