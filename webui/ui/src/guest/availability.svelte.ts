// What is free in a hotel, month by month as the guest turns the pages. Months that were fetched are kept until something
// turned out to be taken; then everything is fetched anew.
import { SvelteMap } from "svelte/reactivity";
import type { HotelStay, NightAvailability } from "../shared/api/types";
import { addDays, addMonths, firstOfMonth, type Civil } from "../shared/civil";
import { searchAvailability } from "./api";
import type { Nights } from "./calendar";

const NONE: Nights = new Map();

export class Availability {
  readonly #hotel: string;
  readonly #today: Civil;
  readonly #own: HotelStay | undefined;
  readonly #byRoomType = new SvelteMap<string, Nights>();
  #asked = new Set<Civil>();
  #waiting = $state(0);
  failure = $state.raw<unknown>();

  /** `own` are the nights of the booking that is being changed: they count as free for it. */
  constructor(hotel: string, today: Civil, own: HotelStay | undefined) {
    this.#hotel = hotel;
    this.#today = today;
    this.#own = own;
  }

  get loading(): boolean {
    return this.#waiting > 0;
  }

  nights(roomType: string | undefined): Nights {
    return (roomType ? this.#byRoomType.get(roomType) : undefined) ?? NONE;
  }

  /** Fetches the months from this one on that are not there yet, with one call. */
  async show(month: Civil, months: number): Promise<void> {
    const wanted = Array.from({ length: months }, (_, index) => addMonths(month, index));
    const lacking = wanted.filter((first) => !this.#asked.has(first));
    const [first] = lacking;
    const last = lacking.at(-1);
    if (!first || !last) return;
    const asked = this.#asked;
    for (const one of lacking) asked.add(one);
    this.#waiting += 1;
    try {
      const from = first < this.#today ? this.#today : first;
      this.#merge(await searchAvailability(this.#hotel, from, addMonths(last, 1)));
      this.failure = undefined;
    } catch (error) {
      for (const one of lacking) asked.delete(one);
      this.failure = error;
    }
    this.#waiting -= 1;
  }

  /** Asks again for everything: what was shown has proved to be old. */
  async refresh(month: Civil, months: number): Promise<void> {
    this.#asked = new Set();
    await this.show(firstOfMonth(month), months);
  }

  #merge(found: Awaited<ReturnType<typeof searchAvailability>>): void {
    for (const { roomType = "", nights = [] } of found) {
      const known = new Map(this.#byRoomType.get(roomType));
      for (const night of nights) known.set(night.date ?? "", this.#withOwn(roomType, night));
      this.#byRoomType.set(roomType, known);
    }
  }

  #withOwn(roomType: string, night: NightAvailability): NightAvailability {
    const own = this.#own;
    const { date = "" } = night;
    if (own?.roomType !== roomType || date < own.checkInDate || date > addDays(own.checkOutDate, -1)) return night;
    return { ...night, availableRooms: (night.availableRooms ?? 0) + (own.rooms ?? 1) };
  }
}
