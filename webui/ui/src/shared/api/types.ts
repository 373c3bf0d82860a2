// The shapes of the canonical API as protobuf JSON has them: a default value is absent, 64-bit integers are text. Every
// field is therefore optional except resource names; readers say what absence means where they read.

export interface Money {
  currencyCode?: string;
  amountMinor?: string;
}

export interface Hotel {
  name: string;
  displayName?: string;
  timeZone?: string;
  currencyCode?: string;
  address?: string;
  description?: string;
}

export interface RoomType {
  name: string;
  displayName?: string;
  description?: string;
  maxGuests?: number;
  capacity?: number;
}

export interface NightAvailability {
  date: string;
  availableRooms?: number;
  price?: Money;
}

export interface RoomTypeAvailability {
  roomType: string;
  displayName?: string;
  nights?: NightAvailability[];
  availableRooms?: number;
  totalPrice?: Money;
}

export interface Cinema {
  name: string;
  displayName?: string;
  timeZone?: string;
  currencyCode?: string;
  city?: string;
  address?: string;
}

export interface Movie {
  name: string;
  title?: string;
  description?: string;
  imageUri?: string;
}

export interface Screening {
  name: string;
  movie?: string;
  movieTitle?: string;
  hall?: string;
  startTime: string;
  fromPrice?: Money;
  capacity?: number;
  availableSeats?: number;
}

export type SeatState = "STATE_AVAILABLE" | "STATE_TAKEN" | "STATE_NOT_SOLD";

export interface Seat {
  id: string;
  row?: string;
  number?: number;
  x?: number;
  y?: number;
  category?: string;
  accessible?: boolean;
  price?: Money;
  state?: SeatState;
}

export interface SeatMap {
  name: string;
  screening?: string;
  hall?: string;
  seats?: Seat[];
}

export type BookingState =
  | "STATE_HELD"
  | "STATE_CONFIRMED"
  | "STATE_CANCELLED"
  | "STATE_EXPIRED"
  | "STATE_CHECKED_IN"
  | "STATE_COMPLETED"
  | "STATE_NO_SHOW";

export interface Contact {
  displayName?: string;
  email?: string;
  phone?: string;
}

export interface HotelStay {
  roomType: string;
  checkInDate: string;
  checkOutDate: string;
  rooms?: number;
}

export interface SeatSelection {
  screening: string;
  seats: string[];
  startTime?: string;
}

export interface CancellationTerms {
  freeUntilTime?: string;
  percent?: number;
  nights?: number;
}

export interface Booking {
  name: string;
  state?: BookingState;
  stay?: HotelStay;
  seats?: SeatSelection;
  venue?: string;
  venueDisplayName?: string;
  title?: string;
  contact?: Contact;
  totalPrice?: Money;
  expireTime?: string;
  createTime?: string;
  updateTime?: string;
  etag?: string;
  cancellationTerms?: CancellationTerms;
  cancellationFee?: Money;
  rooms?: string[];
}

export type Stage = "STAGE_LEGACY" | "STAGE_SHADOW" | "STAGE_SPLIT" | "STAGE_GRPC";
export type Source = "SOURCE_OPERATOR" | "SOURCE_ENVIRONMENT" | "SOURCE_FILE" | "SOURCE_DEFAULT";

export interface SideCounts {
  legacy?: string;
  grpc?: string;
  legacyErrors?: string;
  grpcErrors?: string;
}

export interface Rollout {
  name: string;
  stage?: Stage;
  percent?: number;
  source?: Source;
  subjects?: string[];
  routes?: string[];
  counts?: SideCounts;
  updateTime?: string;
  etag?: string;
}

export interface RolloutChange {
  name: string;
  changeTime?: string;
  actor?: string;
  reason?: string;
  previousPercent?: number;
  percent?: number;
  previousSource?: Source;
  source?: Source;
}

export interface OccupancyNight {
  date: string;
  capacity?: string;
  sold?: string;
  held?: string;
  denied?: string;
  occupancy?: number;
}

export interface HotelOccupancy {
  hotel: string;
  nights?: OccupancyNight[];
  soldRoomNights?: string;
  capacityRoomNights?: string;
  occupancy?: number;
  roomRevenue?: Money;
  freshness?: { decideTime?: string; lag?: string };
}

export interface ScreeningLoadFactor {
  screening: string;
  capacity?: string;
  sold?: string;
  held?: string;
  denied?: string;
  loadFactor?: number;
  ticketRevenue?: Money;
}
