// The token of the ops port, where it asks for one. It lives in this tab only: never in storage that outlasts it.
import { setToken } from "../shared/api/client";
import { ApiError } from "../shared/api/error";

const KEY = "banyan.opsToken";

class Access {
  /** Whether the port has refused us. */
  asking = $state(false);
  /** Counts accepted tokens: what was refused is fetched again when it changes. */
  generation = $state(0);

  constructor() {
    setToken(sessionStorage.getItem(KEY) ?? undefined);
  }

  use(token: string): void {
    sessionStorage.setItem(KEY, token);
    setToken(token);
    this.asking = false;
    this.generation += 1;
  }

  /** Hands the answer through, and notices a refusal for want of a token. */
  async guard<T>(attempt: Promise<T>): Promise<T> {
    try {
      return await attempt;
    } catch (error) {
      if (error instanceof ApiError && error.unauthorised) this.asking = true;
      throw error;
    }
  }
}

export const access = new Access();
