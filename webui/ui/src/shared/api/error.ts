// A refusal of the API, read from `{"error":{code,status,message,details}}`. Whatever cannot be read that way (a proxy's
// page, a lost connection) still becomes an ApiError, so that pages know one kind of failure only.

export interface Violation {
  subject: string;
  description: string;
}

export class ApiError extends Error {
  /** HTTP status; 0 when no answer came. */
  readonly code: number;
  /** google.rpc.Code by name, such as `FAILED_PRECONDITION`. */
  readonly status: string;
  /** ErrorInfo.reason, such as `CELL_UNAVAILABLE`; empty when the answer has none. */
  readonly reason: string;
  /** What exactly stood in the way (PreconditionFailure) or was wrong (BadRequest). */
  readonly violations: readonly Violation[];
  /** ErrorInfo.metadata: facts to decide on, such as the fee that cancelling costs. */
  readonly facts: Readonly<Record<string, string>>;

  constructor(
    code: number,
    status: string,
    message: string,
    reason = "",
    violations: readonly Violation[] = [],
    facts: Readonly<Record<string, string>> = {},
  ) {
    super(message);
    this.name = "ApiError";
    this.code = code;
    this.status = status;
    this.reason = reason;
    this.violations = violations;
    this.facts = facts;
  }

  /** Whether the request may have had an effect that nobody told us about, or none yet: asking again is right. */
  get retryable(): boolean {
    return this.code === 0 || this.code === 429 || this.code === 502 || this.code === 503 || this.code === 504;
  }

  get unauthorised(): boolean {
    return this.code === 401 || this.code === 403;
  }
}

/** No answer came: offline, refused, or too slow. */
export function noAnswer(cause: unknown): ApiError {
  const slow = cause instanceof DOMException && cause.name === "TimeoutError";
  return new ApiError(0, slow ? "DEADLINE_EXCEEDED" : "UNAVAILABLE", "no answer");
}

interface Detail {
  "@type"?: string;
  reason?: string;
  metadata?: Record<string, string>;
  violations?: { subject?: string; type?: string; description?: string }[];
  fieldViolations?: { field?: string; description?: string }[];
}

export function parseError(code: number, body: string): ApiError {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return new ApiError(code, statusOf(code), body.slice(0, 200));
  }
  const error = (parsed as { error?: unknown } | null)?.error;
  if (typeof error !== "object" || error === null) return new ApiError(code, statusOf(code), "");
  const { status, message, details } = error as { status?: unknown; message?: unknown; details?: unknown };
  const list = Array.isArray(details) ? (details as Detail[]) : [];
  const info = list.find((detail) => typeof detail.reason === "string");
  return new ApiError(
    code,
    typeof status === "string" ? status : statusOf(code),
    typeof message === "string" ? message : "",
    info?.reason ?? "",
    list.flatMap(violationsOf),
    info?.metadata ?? {},
  );
}

function violationsOf(detail: Detail): Violation[] {
  const cells = (detail.violations ?? []).map((one) => ({
    subject: one.subject ?? "",
    description: one.description ?? "",
  }));
  const fields = (detail.fieldViolations ?? []).map((one) => ({
    subject: one.field ?? "",
    description: one.description ?? "",
  }));
  return [...cells, ...fields];
}

/** The google.rpc.Code that an HTTP status usually stands for, for answers that do not say. */
function statusOf(code: number): string {
  const known: Record<number, string> = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
  };
  return known[code] ?? "UNKNOWN";
}
