import { type Static, Type } from "typebox";
import { BATCH_METADATA_MAX } from "../limits.ts";
import { fieldError, parserOf } from "../schema/check.ts";
import { optional } from "../schema/fields.ts";
import { SAYS } from "../schema/sentences.ts";

/** Endpoints whose requests a batch may have. */
const BATCH_ENDPOINTS = ["/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages"] as const;

const seconds = () => optional(Type.Integer());

/** A batch as its clients see it. */
export const BatchObject = Type.Object({
  id: Type.String(),
  object: Type.Literal("batch"),
  endpoint: Type.String(),
  errors: Type.Union([
    Type.Object({
      object: Type.Literal("list"),
      data: Type.Array(
        Type.Object({ code: Type.String(), message: Type.String(), param: Type.Null(), line: Type.Integer() }),
      ),
    }),
    Type.Null(),
  ]),
  input_file_id: Type.String(),
  completion_window: Type.Literal("24h"),
  status: Type.Enum([
    "validating",
    "failed",
    "in_progress",
    "finalizing",
    "completed",
    "expired",
    "cancelling",
    "cancelled",
  ]),
  output_file_id: Type.Union([Type.String(), Type.Null()], { description: "Answers, once it has ended." }),
  error_file_id: Type.Union([Type.String(), Type.Null()], { description: "What failed, where something did." }),
  created_at: Type.Integer(),
  in_progress_at: seconds(),
  expires_at: seconds(),
  finalizing_at: seconds(),
  completed_at: seconds(),
  failed_at: seconds(),
  expired_at: seconds(),
  cancelling_at: seconds(),
  cancelled_at: seconds(),
  request_counts: Type.Object({ total: Type.Integer(), completed: Type.Integer(), failed: Type.Integer() }),
  metadata: Type.Union([Type.Record(Type.String(), Type.String()), Type.Null()]),
});
export type BatchObject = Static<typeof BatchObject>;

/** Batches, the newest first. */
export const BatchList = Type.Object({
  object: Type.Literal("list"),
  data: Type.Array(BatchObject),
  first_id: Type.Union([Type.String(), Type.Null()]),
  last_id: Type.Union([Type.String(), Type.Null()]),
  has_more: Type.Boolean(),
});

/** The body of `POST /v1/batches`. */
export const BatchBody = Type.Object({
  input_file_id: Type.String({ description: "A file that came up with the purpose `batch`." }),
  endpoint: Type.Enum([...BATCH_ENDPOINTS], {
    type: "string",
    [SAYS]: `is not supported: it must be ${BATCH_ENDPOINTS.join(", ")}`,
  }),
  completion_window: Type.Literal("24h", { [SAYS]: "must be 24h" }),
  metadata: optional(Type.Record(Type.String(), Type.String(), { description: "Given back as it came." })),
});
export type BatchBody = Static<typeof BatchBody>;

const parse = parserOf(BatchBody);

/** Reads the body of `POST /v1/batches`. Errors: `invalid_argument`, naming the field. */
export function readBatch(value: unknown): BatchBody {
  const body = parse(value);
  if (JSON.stringify(body.metadata ?? {}).length > BATCH_METADATA_MAX)
    throw fieldError("metadata", `may have at most ${BATCH_METADATA_MAX} characters`);
  return body;
}
