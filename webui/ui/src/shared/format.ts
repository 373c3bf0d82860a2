// Money, dates and numbers for people, through Intl. Money travels in minor units and never becomes a fraction before it
// is shown; instants are shown in the venue's time zone, since that is where the guest will stand.
import { asUtc, type Civil } from "./civil";
import type { Lang } from "./i18n/message";
import type { Money } from "./api/types";

const LOCALE: Record<Lang, string> = { en: "en-GB", ru: "ru-RU" };

export function localeOf(lang: Lang): string {
  return LOCALE[lang];
}

/** Digits after the point of a currency (ISO 4217): 2 for USD, 0 for JPY. */
function exponent(currency: string): number {
  return (
    new Intl.NumberFormat("en", { style: "currency", currency }).resolvedOptions().maximumFractionDigits ?? 2
  );
}

function isCurrency(code: string | undefined): code is string {
  return code !== undefined && /^[A-Z]{3}$/.test(code);
}

export function minor(money: Money | undefined): bigint {
  return BigInt(money?.amountMinor ?? "0");
}

/** `€89`, `€89.50`, `4 500 ₽`; empty for no price. */
export function money(value: Money | undefined, lang: Lang): string {
  return formatMoney(value, lang, { currencyDisplay: "narrowSymbol" });
}

/** The amount without its currency, as short as a calendar cell needs it: `89`, `189.5`, `12.5k`. */
export function bareMoney(value: Money | undefined, lang: Lang): string {
  if (!value || !isCurrency(value.currencyCode)) return "";
  const major = Number(minor(value)) / 10 ** exponent(value.currencyCode);
  const options: Intl.NumberFormatOptions =
    major >= 10_000
      ? { notation: "compact", maximumFractionDigits: 1 }
      : { maximumFractionDigits: 2, useGrouping: false };
  return new Intl.NumberFormat(LOCALE[lang], options).format(major);
}

function formatMoney(value: Money | undefined, lang: Lang, extra: Intl.NumberFormatOptions): string {
  if (!value || !isCurrency(value.currencyCode)) return "";
  const currency = value.currencyCode;
  const major = Number(minor(value)) / 10 ** exponent(currency);
  return new Intl.NumberFormat(LOCALE[lang], {
    style: "currency",
    currency,
    trailingZeroDisplay: "stripIfInteger",
    ...extra,
  }).format(major);
}

/** The sum of prices in one currency; undefined where there is none. */
export function sum(prices: readonly (Money | undefined)[]): Money | undefined {
  const first = prices.find((price) => price !== undefined);
  if (!first?.currencyCode) return undefined;
  const total = prices.reduce((all, price) => all + minor(price), 0n);
  return { currencyCode: first.currencyCode, amountMinor: total.toString() };
}

export function times(price: Money | undefined, count: number): Money | undefined {
  if (!price?.currencyCode) return undefined;
  return { currencyCode: price.currencyCode, amountMinor: (minor(price) * BigInt(count)).toString() };
}

function dateFormat(lang: Lang, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat(LOCALE[lang], options);
  } catch {
    return new Intl.DateTimeFormat(LOCALE[lang], { ...options, timeZone: "UTC" });
  }
}

/** `21 November 2026`. */
export function day(date: Civil, lang: Lang): string {
  return dateFormat(lang, { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" }).format(asUtc(date));
}

/** `Sat, 21 Nov`. */
export function shortDay(date: Civil, lang: Lang): string {
  return dateFormat(lang, { weekday: "short", day: "numeric", month: "short", timeZone: "UTC" }).format(asUtc(date));
}

/** `Saturday 21 November`, for screen readers and headings. */
export function longDay(date: Civil, lang: Lang): string {
  return dateFormat(lang, { weekday: "long", day: "numeric", month: "long", timeZone: "UTC" }).format(asUtc(date));
}

/** `November 2026`. */
export function month(date: Civil, lang: Lang): string {
  const text = dateFormat(lang, { month: "long", year: "numeric", timeZone: "UTC" }).format(asUtc(date));
  return text.charAt(0).toLocaleUpperCase(LOCALE[lang]) + text.slice(1);
}

/** Monday to Sunday, `short` for the eye and `long` for the ear. */
export function weekdays(lang: Lang): { short: string; long: string }[] {
  const monday = Date.UTC(2024, 0, 1);
  return Array.from({ length: 7 }, (_, index) => {
    const at = new Date(monday + index * 86_400_000);
    return {
      short: dateFormat(lang, { weekday: "short", timeZone: "UTC" }).format(at),
      long: dateFormat(lang, { weekday: "long", timeZone: "UTC" }).format(at),
    };
  });
}

/** `19:30` at the venue. */
export function time(instant: string, timeZone: string | undefined, lang: Lang): string {
  const options = { hour: "2-digit", minute: "2-digit", timeZone: timeZone || "UTC" } as const;
  return dateFormat(lang, options).format(new Date(instant));
}

/** `21 Nov 2026, 19:30` in a zone; the reader's own zone where none is given. */
export function moment(instant: string, timeZone: string | undefined, lang: Lang): string {
  const options: Intl.DateTimeFormatOptions = { dateStyle: "medium", timeStyle: "short" };
  if (timeZone) options.timeZone = timeZone;
  return dateFormat(lang, options).format(new Date(instant));
}

/** `09:05` of remaining seconds, never negative. */
export function countdown(seconds: number): string {
  const left = Math.max(0, Math.ceil(seconds));
  return `${String(Math.floor(left / 60)).padStart(2, "0")}:${String(left % 60).padStart(2, "0")}`;
}

export function number(value: number, lang: Lang, digits = 0): string {
  return new Intl.NumberFormat(LOCALE[lang], { maximumFractionDigits: digits }).format(value);
}

/** A share of 0 to 1 as `42 %`. */
export function share(value: number, lang: Lang): string {
  return new Intl.NumberFormat(LOCALE[lang], { style: "percent", maximumFractionDigits: 1 }).format(value);
}
