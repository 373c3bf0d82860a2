// One intention of a person, one request id. Asking for the same thing again after a lost answer must repeat the id, or
// the guest pays twice; asking for something else, or again after a clear answer, must not.
import { ApiError } from "./error";

export class Intent {
  #content = "";
  #id = "";
  readonly #fresh: () => string;

  constructor(fresh: () => string = () => crypto.randomUUID()) {
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
