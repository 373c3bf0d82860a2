import { describe, expect, it } from "vitest";
import { ApiError, noAnswer, parseError } from "./error";
import { common, type CommonKey } from "../i18n/common";
import { cellsOf, explain, failureKey } from "../i18n/failure";
import { render, type Lang } from "../i18n/message";

const say = (lang: Lang) => (key: CommonKey, params?: Record<string, string | number>) =>
  render(common[lang][key], lang, params);

function refusal(reason: string, subjects: string[] = []): ApiError {
  const body = {
    error: {
      code: 400,
      status: "FAILED_PRECONDITION",
      message: "no",
      details: [
        { "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason, domain: "reservation.banyan" },
        {
          "@type": "type.googleapis.com/google.rpc.PreconditionFailure",
          violations: subjects.map((subject) => ({ type: "CELL", subject })),
        },
      ],
    },
  };
  return parseError(400, JSON.stringify(body));
}

describe("a refusal", () => {
  it("is read with its reason and what stood in the way", () => {
    const error = refusal("CELL_UNAVAILABLE", ["hotels/1/roomTypes/2/nights/2026-12-24"]);
    expect(error).toMatchObject({ code: 400, status: "FAILED_PRECONDITION", reason: "CELL_UNAVAILABLE" });
    expect(cellsOf(error, "en")).toEqual(["Thursday 24 December"]);
  });

  it("is told in both languages", () => {
    const error = refusal("CELL_UNAVAILABLE", ["cinemas/1/screenings/2/seats/F7", "cinemas/1/screenings/2/seats/F8"]);
    expect(explain(error, say("en"), "en")).toContain("F7, F8");
    expect(explain(error, say("ru"), "ru")).toContain("F7, F8");
    expect(explain(refusal("CELL_UNAVAILABLE"), say("en"), "en")).toContain("a part of your choice");
  });

  it("carries its facts", () => {
    const details = [{ reason: "X", metadata: { fee_minor: "500" } }];
    const error = parseError(400, JSON.stringify({ error: { status: "FAILED_PRECONDITION", details } }));
    expect(error.facts).toEqual({ fee_minor: "500" });
    expect(refusal("X").facts).toEqual({});
  });

  it.each([
    "NOT_SOLD",
    "SCREENING_STARTED",
    "HOLD_EXPIRED",
    "BOOKING_STATE",
    "ETAG_MISMATCH",
    "REQUEST_ID_REUSED",
    "MIN_STAY",
    "OUTSIDE_CANCELLATION_WINDOW",
    "PAID_BUT_EXPIRED",
  ])(
    "%s has a sentence of its own",
    (reason) => expect(failureKey(refusal(reason))).toBe(`error.${reason}`),
  );

  it("falls back from the reason to the status to a general sentence", () => {
    expect(failureKey(new ApiError(404, "NOT_FOUND", "", "SOMETHING_NEW"))).toBe("error.NOT_FOUND");
    expect(failureKey(new ApiError(500, "INTERNAL", ""))).toBe("error.UNKNOWN");
    expect(failureKey(new ApiError(409, "ABORTED", ""))).toBe("error.ETAG_MISMATCH");
    expect(failureKey(new TypeError("x"))).toBe("error.UNKNOWN");
  });
});

describe("whatever else comes back", () => {
  it("is still an ApiError", () => {
    expect(parseError(502, "<html>Bad gateway</html>")).toMatchObject({ code: 502, retryable: true });
    expect(parseError(404, "null")).toMatchObject({ status: "NOT_FOUND" });
    expect(parseError(400, '{"error":"plain"}')).toMatchObject({ status: "INVALID_ARGUMENT", reason: "" });
  });

  it("is asked again only where that may help", () => {
    expect(noAnswer(new TypeError("failed to fetch")).retryable).toBe(true);
    expect(noAnswer(new DOMException("", "TimeoutError")).status).toBe("DEADLINE_EXCEEDED");
    expect(parseError(409, "").retryable).toBe(false);
    expect(parseError(401, "").unauthorised).toBe(true);
  });
});
