import {
  ERROR_CODES,
  type ErrorCode,
  LANES,
  modelId,
  requestId,
  routerId,
  type TraceContext,
  workerId,
} from "@drover/core";
import fc from "fast-check";

const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._@/-]{0,20}$/);
export const aRequestId = name.map(requestId);
export const aModelId = name.map(modelId);
export const aRouterId = name.map(routerId);
export const aWorkerId = name.map(workerId);
export const u32 = fc.nat(2 ** 32 - 1);
export const u53 = fc.nat(Number.MAX_SAFE_INTEGER);
export const hashes = fc.array(fc.uint8Array({ minLength: 16, maxLength: 16 }), { maxLength: 4 }).map((all) => {
  return Uint8Array.from(all.flatMap((hash) => [...hash]));
});
/** Numbers that are the same number when they come back from 32 and 64 bits; there is no -0 in what is said. */
export const f32 = fc.float({ noNaN: true }).map((value) => value + 0);
export const f64 = fc.double({ noNaN: true }).map((value) => value + 0);

export const trace: fc.Arbitrary<TraceContext> = fc.record({
  traceparent: fc.string({ minLength: 1 }),
  tracestate: fc.string(),
});

export const milliseconds = fc.double({ min: 0, max: 1e12, noNaN: true }).map((value) => value + 0);
export const lane = fc.constantFrom(...LANES);
export const errorCode = fc.constantFrom(...(Object.keys(ERROR_CODES) as ErrorCode[]));
/** A text that is there or not. In messages no text is empty. */
export const optionalText = fc.option(fc.string({ minLength: 1 }), { nil: undefined });

/** Whose a request is. */
export const tenantShare = fc.record({
  name: fc.string(),
  weight: fc.double({ min: 0.01, max: 100, noNaN: true }),
  priority: fc.constantFrom("high", "normal", "low"),
  cacheSalt: fc.string(),
});
