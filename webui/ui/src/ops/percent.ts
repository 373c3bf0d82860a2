// A percentage as an operator types it: 0 to 100 with at most two decimals, a comma or a point between.

export function parsePercent(text: string): number | undefined {
  const plain = text.trim().replace(",", ".");
  if (!/^\d{1,3}(\.\d{1,2})?$/.test(plain)) return undefined;
  const value = Number(plain);
  return value <= 100 ? value : undefined;
}
