// A booking in one line: what, when, how much of it.
import type { Booking } from "../shared/api/types";
import { daysBetween } from "../shared/civil";
import { moment, shortDay } from "../shared/format";
import type { Lang } from "../shared/i18n/message";
import { t } from "./messages";

/** `Sat, 21 Nov – Mon, 23 Nov, 2 nights` or `21 Nov 2026, 19:30`. */
export function when(booking: Booking, lang: Lang, timeZone: string | undefined): string {
  if (booking.stay) {
    const { checkInDate, checkOutDate } = booking.stay;
    const nights = t("nights", { n: daysBetween(checkInDate, checkOutDate) });
    return `${shortDay(checkInDate, lang)} – ${shortDay(checkOutDate, lang)}, ${nights}`;
  }
  return booking.seats?.startTime ? moment(booking.seats.startTime, timeZone, lang) : "";
}

/** `2 rooms` or `F7, F8`. */
export function howMuch(booking: Booking): string {
  if (booking.stay) return t("rooms", { n: booking.stay.rooms ?? 1 });
  return booking.seats?.seats?.join(", ") ?? "";
}

export function describe(booking: Booking, lang: Lang, timeZone?: string): string {
  return [booking.title, when(booking, lang, timeZone), howMuch(booking)].filter(Boolean).join(" · ");
}

/** Where the booking was made, to make another like it or to change it. */
export function originOf(booking: Booking): string {
  if (booking.stay) return `/app/${booking.venue ?? booking.stay.roomType.split("/").slice(0, 2).join("/")}`;
  return booking.seats ? `/app/${booking.seats.screening}` : "/app/";
}

export function idOf(booking: Booking): string {
  return booking.name.split("/").at(-1) ?? "";
}
