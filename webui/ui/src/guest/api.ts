// The calls of the guests' app, by the gateway's public document.
import { all, client, idIn, of } from "../shared/api/client";
import { ApiError } from "../shared/api/error";
import type { paths } from "../shared/api/generated/public";
import type { Booking, Contact, HotelStay, Money, SeatSelection } from "../shared/api/types";
import type { Civil } from "../shared/civil";

const api = client<paths>();

/** What a booking claims: exactly one of both. */
export type Claim = { stay: HotelStay } | { seats: SeatSelection };

const hotelIn = (name: string) => ({ hotel: idIn(name, "hotels") });
const cinemaIn = (name: string) => ({ cinema: idIn(name, "cinemas") });
const screeningIn = (name: string) => ({ ...cinemaIn(name), screening: idIn(name, "screenings") });
const bookingIn = (name: string) => ({ booking: idIn(name, "bookings") });

export const listHotels = (signal: AbortSignal | null = null) =>
  all(
    (query) => api.GET("/v1/hotels", { params: { query }, signal }),
    (answer) => answer.hotels,
  );
export const getHotel = (name: string, signal: AbortSignal) =>
  of(api.GET("/v1/hotels/{hotel}", { params: { path: hotelIn(name) }, signal }));
export const listRoomTypes = (hotel: string, signal: AbortSignal) =>
  all(
    (query) => api.GET("/v1/hotels/{hotel}/roomTypes", { params: { path: hotelIn(hotel), query }, signal }),
    (answer) => answer.roomTypes,
  );

export const searchAvailability = (hotel: string, from: Civil, to: Civil) => {
  const dates = { checkInDate: from, checkOutDate: to };
  return all(
    (page) =>
      api.GET("/v1/hotels/{hotel}:searchAvailability", { params: { path: hotelIn(hotel), query: { ...dates, ...page } } }),
    (answer) => answer.roomTypes,
  );
};

export const listMovies = (signal: AbortSignal | null = null) =>
  all(
    (query) => api.GET("/v1/movies", { params: { query }, signal }),
    (answer) => answer.movies,
  );
export const getMovie = (name: string, signal: AbortSignal) =>
  of(api.GET("/v1/movies/{movie}", { params: { path: { movie: idIn(name, "movies") } }, signal }));
export const listCinemas = (signal: AbortSignal | null = null) =>
  all(
    (query) => api.GET("/v1/cinemas", { params: { query }, signal }),
    (answer) => answer.cinemas,
  );
export const getCinema = (name: string, signal: AbortSignal) =>
  of(api.GET("/v1/cinemas/{cinema}", { params: { path: cinemaIn(name) }, signal }));
export const listScreenings = (cinema: string, movie: string, signal: AbortSignal) =>
  all(
    (page) =>
      api.GET("/v1/cinemas/{cinema}/screenings", {
        params: { path: cinemaIn(cinema), query: { movie, ...page } },
        signal,
      }),
    (answer) => answer.screenings,
  );
export const getScreening = (name: string, signal: AbortSignal) =>
  of(api.GET("/v1/cinemas/{cinema}/screenings/{screening}", { params: { path: screeningIn(name) }, signal }));
export const getSeatMap = (screening: string, signal: AbortSignal) =>
  of(api.GET("/v1/cinemas/{cinema}/screenings/{screening}/seatMap", { params: { path: screeningIn(screening) }, signal }));

export const getBooking = (name: string, signal: AbortSignal) =>
  of(api.GET("/v1/bookings/{booking}", { params: { path: bookingIn(name) }, signal }));
export const listBookings = (pageToken: string | undefined, signal: AbortSignal) => {
  const query = { pageSize: 20, ...(pageToken ? { pageToken } : {}) };
  return of(api.GET("/v1/bookings", { params: { query }, signal }));
};

/** Every change of a booking answers with the booking. */
async function changed(call: Promise<{ data?: { booking?: Booking }; response: Response }>): Promise<Booking> {
  const { booking } = await of(call);
  if (!booking) throw new ApiError(200, "INTERNAL", "the answer has no booking");
  return booking;
}

export const hold = (claim: Claim, contact: Contact, requestId: string): Promise<Booking> =>
  changed(api.POST("/v1/bookings:hold", { body: { ...claim, contact, requestId } }));

export const confirm = (booking: Booking, requestId: string): Promise<Booking> =>
  changed(api.POST("/v1/bookings/{booking}:confirm", { params: { path: bookingIn(booking.name) }, body: { requestId } }));

/** Gives a booking back. What costs a fee is refused unless it was accepted: see `feeOf`. */
export function cancel(booking: Booking, acceptedFee: Money | undefined, requestId: string): Promise<Booking> {
  const body = { ...(acceptedFee ? { acceptedFee } : {}), requestId };
  return changed(api.POST("/v1/bookings/{booking}:cancel", { params: { path: bookingIn(booking.name) }, body }));
}

/** The fee that a refused cancellation would cost; undefined where it was refused for another reason. */
export function feeOf(failure: unknown): Money | undefined {
  if (!(failure instanceof ApiError) || failure.reason !== "OUTSIDE_CANCELLATION_WINDOW") return undefined;
  const { fee_minor: amountMinor, currency_code: currencyCode } = failure.facts;
  return amountMinor && currencyCode ? { amountMinor, currencyCode } : undefined;
}

/** Ten more minutes for a hold. */
export const extend = (booking: Booking, requestId: string): Promise<Booking> =>
  changed(api.POST("/v1/bookings/{booking}:extend", { params: { path: bookingIn(booking.name) }, body: { requestId } }));

export async function move(
  booking: Booking,
  claim: Claim,
  requestId: string,
): Promise<{ booking: Booking; previousTotalPrice: Money | undefined }> {
  // The etag protects a change made in another tab: moving is decided by what was seen.
  const body = { ...claim, ...(booking.etag ? { etag: booking.etag } : {}), requestId };
  const call = api.POST("/v1/bookings/{booking}:move", { params: { path: bookingIn(booking.name) }, body });
  const { previousTotalPrice } = await of(call);
  return { booking: await changed(call), previousTotalPrice };
}
