// Something that is being fetched. The latest request wins: answers that come late, or after the page was left, are
// dropped. What was there stays visible while it is fetched anew.

export class Loader<T> {
  value = $state.raw<T>();
  error = $state.raw<unknown>();
  loading = $state(false);
  #latest: AbortController | undefined;

  async load(fetch: (signal: AbortSignal) => Promise<T>): Promise<void> {
    this.#latest?.abort();
    const mine = new AbortController();
    this.#latest = mine;
    this.loading = true;
    try {
      const value = await fetch(mine.signal);
      if (this.#latest !== mine) return;
      this.value = value;
      this.error = undefined;
    } catch (error) {
      if (this.#latest !== mine) return;
      this.error = error;
    }
    this.loading = false;
  }

  /** Forgets what it is waiting for. */
  stop(): void {
    this.#latest?.abort();
    this.#latest = undefined;
    this.loading = false;
  }
}
