// One intention of a person, one request id. Asking for the same thing again after a lost answer must repeat the id, or
// the guest pays twice; asking for something else, or again after a clear answer, must not.
import { ApiError } from "./error";

/** A random UUID (RFC 9562, version 4), also on plain http, where browsers keep `crypto.randomUUID` to themselves. */
export function uuid(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

export class Intent {
  #content = "";
  #id = "";
  readonly #fresh: () => string;

  constructor(fresh: () => string = uuid) {
    this.#fresh = fresh;
  }

  /** The id for this content: the one of the last attempt if its outcome is unknown and the content is the same. */
  idFor(content: unknown): string {
    const text = JSON.stringify(content);
    if (this.#id === "" || text !== this.#content) {
      this.#content = text;
      this.#id = this.#fresh();
    }
    return this.#id;
  }

  /** Runs one attempt; a clear answer, yes or no, ends the intention. */
  async run<T>(content: unknown, attempt: (requestId: string) => Promise<T>): Promise<T> {
    try {
      const answer = await attempt(this.idFor(content));
      this.#id = "";
      return answer;
    } catch (error) {
      if (error instanceof ApiError && !error.retryable && error.code < 500) this.#id = "";
      throw error;
    }
  }
}
