// What the apps call the shapes of the canonical API. The shapes are those of the contracts, by way of the gateway's
// OpenAPI documents (`make openapi-client`): a default value is absent, 64-bit integers are text.
import type { components as Ops } from "./generated/ops";
import type { components as Public } from "./generated/public";

type Reservation<Name extends string> = Public["schemas"][`banyan.reservation.v1.${Name}` & keyof Public["schemas"]];
type Analytics<Name extends string> = Public["schemas"][`banyan.analytics.v1.${Name}` & keyof Public["schemas"]];
type Rollouts<Name extends string> = Ops["schemas"][`banyan.rollout.v1.${Name}` & keyof Ops["schemas"]];

/** The zero of every enum is how a contract says that nothing was said; it never comes. */
type Said<Value extends string> = Exclude<Value, `${string}_UNSPECIFIED`>;

export type Money = Reservation<"Money">;
export type Hotel = Reservation<"Hotel">;
export type RoomType = Reservation<"RoomType">;
export type NightAvailability = Reservation<"NightAvailability">;
export type RoomTypeAvailability = Reservation<"RoomTypeAvailability">;
export type Cinema = Reservation<"Cinema">;
export type Movie = Reservation<"Movie">;
export type Screening = Reservation<"Screening">;
export type SeatState = Said<Reservation<"Seat.State">>;
export type Seat = Reservation<"Seat">;
export type SeatMap = Reservation<"SeatMap">;
export type BookingState = Said<Reservation<"Booking.State">>;
export type Contact = Reservation<"Contact">;
export type HotelStay = Reservation<"HotelStay">;
export type SeatSelection = Reservation<"SeatSelection">;
export type CancellationTerms = Reservation<"CancellationTerms">;
export type Booking = Reservation<"Booking">;
export type OccupancyNight = Analytics<"OccupancyNight">;
export type HotelOccupancy = Analytics<"HotelOccupancy">;
export type ScreeningLoadFactor = Analytics<"ScreeningLoadFactor">;
export type Stage = Said<Rollouts<"Rollout.Stage">>;
export type Source = Said<Rollouts<"Rollout.Source">>;
export type SideCounts = Rollouts<"SideCounts">;
export type Rollout = Rollouts<"Rollout">;
export type RolloutChange = Rollouts<"RolloutChange">;
export type RolloutDifference = Rollouts<"RolloutDifference">;
export type VerifyRolloutResponse = Rollouts<"VerifyRolloutResponse">;
export type Evidence = Rollouts<"Evidence">;
