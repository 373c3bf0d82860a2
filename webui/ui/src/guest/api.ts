// The calls of the guests' app. Resource names are paths: `hotels/3` is read at `/v1/hotels/3`.
import { all, get, post } from "../shared/api/client";
import { ApiError } from "../shared/api/error";
import type {
  Booking,
  Cinema,
  Contact,
  Hotel,
  HotelStay,
  Money,
  Movie,
  RoomType,
  RoomTypeAvailability,
  Screening,
  SeatMap,
  SeatSelection,
} from "../shared/api/types";
import type { Civil } from "../shared/civil";

/** What a booking claims: exactly one of both. */
export type Claim = { stay: HotelStay } | { seats: SeatSelection };

export const listHotels = (signal?: AbortSignal) => all<Hotel>("hotels", "hotels", {}, signal);
export const getHotel = (name: string, signal: AbortSignal) => get<Hotel>(name, { signal });
export const listRoomTypes = (hotel: string, signal: AbortSignal) =>
  all<RoomType>(`${hotel}/roomTypes`, "roomTypes", {}, signal);

export const searchAvailability = (hotel: string, from: Civil, to: Civil) =>
  all<RoomTypeAvailability>(`${hotel}:searchAvailability`, "roomTypes", { checkInDate: from, checkOutDate: to });

export const listMovies = (signal?: AbortSignal) => all<Movie>("movies", "movies", {}, signal);
export const getMovie = (name: string, signal: AbortSignal) => get<Movie>(name, { signal });
export const listCinemas = (signal?: AbortSignal) => all<Cinema>("cinemas", "cinemas", {}, signal);
export const getCinema = (name: string, signal: AbortSignal) => get<Cinema>(name, { signal });
export const listScreenings = (cinema: string, movie: string, signal: AbortSignal) =>
  all<Screening>(`${cinema}/screenings`, "screenings", { movie }, signal);
export const getScreening = (name: string, signal: AbortSignal) => get<Screening>(name, { signal });
export const getSeatMap = (screening: string, signal: AbortSignal) => get<SeatMap>(`${screening}/seatMap`, { signal });

export const getBooking = (name: string, signal: AbortSignal) => get<Booking>(name, { signal });
export const listBookings = (pageToken: string | undefined, signal: AbortSignal) =>
  get<{ bookings?: Booking[]; nextPageToken?: string }>("bookings", { query: { pageSize: 20, pageToken }, signal });

export async function hold(claim: Claim, contact: Contact, requestId: string): Promise<Booking> {
  const answer = await post<{ booking: Booking }>("bookings:hold", { ...claim, contact, requestId });
  return answer.booking;
}

export async function confirm(booking: Booking, requestId: string): Promise<Booking> {
  const answer = await post<{ booking: Booking }>(`${booking.name}:confirm`, { requestId });
  return answer.booking;
}

/** Gives a booking back. What costs a fee is refused unless it was accepted: see `feeOf`. */
export async function cancel(booking: Booking, acceptedFee: Money | undefined, requestId: string): Promise<Booking> {
  const fee = acceptedFee ? { acceptedFee } : {};
  const answer = await post<{ booking: Booking }>(`${booking.name}:cancel`, { ...fee, requestId });
  return answer.booking;
}

/** The fee that a refused cancellation would cost; undefined where it was refused for another reason. */
export function feeOf(failure: unknown): Money | undefined {
  if (!(failure instanceof ApiError) || failure.reason !== "OUTSIDE_CANCELLATION_WINDOW") return undefined;
  const { fee_minor: amountMinor, currency_code: currencyCode } = failure.facts;
  return amountMinor && currencyCode ? { amountMinor, currencyCode } : undefined;
}

/** Ten more minutes for a hold. */
export async function extend(booking: Booking, requestId: string): Promise<Booking> {
  const answer = await post<{ booking: Booking }>(`${booking.name}:extend`, { requestId });
  return answer.booking;
}

export async function move(
  booking: Booking,
  claim: Claim,
  requestId: string,
): Promise<{ booking: Booking; previousTotalPrice?: Money }> {
  // The etag protects a change made in another tab: moving is decided by what was seen.
  const etag = booking.etag ? { etag: booking.etag } : {};
  return post(`${booking.name}:move`, { ...claim, ...etag, requestId });
}
