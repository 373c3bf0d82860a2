// One sentence that the next page says once: what was just done on the page before it.
let pending: string | undefined;

export function leave(text: string): void {
  pending = text;
}

export function take(): string | undefined {
  const text = pending;
  pending = undefined;
  return text;
}
