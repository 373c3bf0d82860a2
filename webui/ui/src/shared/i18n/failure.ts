// Which sentence tells a person why something failed: the reason of the refusal if we know it, else its status.
import { ApiError } from "../api/error";
import { longDay } from "../format";
import { isCivil } from "../civil";
import { common, type CommonKey } from "./common";
import type { Lang } from "./message";

type Say = (key: CommonKey, params?: Record<string, string | number>) => string;

export function failureKey(error: unknown): CommonKey {
  if (!(error instanceof ApiError)) return "error.UNKNOWN";
  for (const candidate of [error.reason, error.status]) {
    const key = `error.${candidate}`;
    if (candidate !== "" && key in common.en) return key as CommonKey;
  }
  // ABORTED without a reason is what a changed etag answers (AIP-154).
  return error.status === "ABORTED" ? "error.ETAG_MISMATCH" : "error.UNKNOWN";
}

export function explain(error: unknown, say: Say, lang: Lang): string {
  const key = failureKey(error);
  if (key !== "error.CELL_UNAVAILABLE") return say(key);
  const cells = error instanceof ApiError ? cellsOf(error, lang) : [];
  return say(key, { cells: cells.length > 0 ? cells.join(", ") : say("error.cells") });
}

/** The nights or seats of the refused cells: the last part of each name, at most five of them. */
export function cellsOf(error: ApiError, lang: Lang): string[] {
  const last = error.violations.map((one) => one.subject.split("/").at(-1) ?? "").filter((part) => part !== "");
  const shown = [...new Set(last)].slice(0, 5).map((part) => (isCivil(part) ? longDay(part, lang) : part));
  return last.length > 5 ? [...shown, "…"] : shown;
}
