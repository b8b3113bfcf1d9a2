import { DroverError } from "@drover/core";
import { type Static, Type } from "typebox";
import { FILE_NAME_LENGTH_MAX } from "../limits.ts";
import { fieldError } from "../schema/check.ts";
import type { FormPart } from "./multipart.ts";

/** What OpenAI takes: an hour to thirty days. */
const EXPIRES_AFTER_S = { min: 3600, max: 2_592_000 };

const PURPOSES = ["batch", "batch_output"] as const;

/** A file that is kept: lines of requests that came up, or of answers. */
export const FileObject = Type.Object({
  id: Type.String(),
  object: Type.Literal("file"),
  bytes: Type.Integer(),
  created_at: Type.Integer({ description: "Unix seconds." }),
  expires_at: Type.Integer({ description: "Unix seconds; then it is gone." }),
  filename: Type.String(),
  purpose: Type.Enum([...PURPOSES]),
  status: Type.Literal("processed"),
});
export type FileObject = Static<typeof FileObject>;

/** Files, the newest first. */
export const FileList = Type.Object({
  object: Type.Literal("list"),
  data: Type.Array(FileObject),
  first_id: Type.Union([Type.String(), Type.Null()]),
  last_id: Type.Union([Type.String(), Type.Null()]),
  has_more: Type.Boolean(),
});

export const DeletedFile = Type.Object({
  id: Type.String(),
  object: Type.Literal("file"),
  deleted: Type.Literal(true),
});

/** The form of `POST /v1/files`, for the document: it is no JSON. */
export const FileForm = Type.Object({
  file: Type.String({ description: "The file: JSON Lines, one request each." }),
  purpose: Type.String({ description: "`batch`." }),
  "expires_after[anchor]": Type.Optional(Type.String({ description: "`created_at`." })),
  "expires_after[seconds]": Type.Optional(
    Type.Integer({
      minimum: EXPIRES_AFTER_S.min,
      maximum: EXPIRES_AFTER_S.max,
      description:
        "The file is gone after so long, or when the router's own time for files is over, whichever is earlier.",
    }),
  ),
});

/** A file that comes up; `expiresAfterMs`: when it may be gone at the latest, where that was asked for. */
export type UploadedFile = Readonly<{ filename: string; bytes: Uint8Array; expiresAfterMs: number | undefined }>;

/** Reads the form of `POST /v1/files`. Errors: `invalid_argument`, naming the field. */
export function readUpload(parts: readonly FormPart[]): UploadedFile {
  const purpose = parts.find(({ name }) => name === "purpose");
  if (purpose === undefined) throw fieldError("purpose", "is required");
  if (new TextDecoder().decode(purpose.bytes).trim() !== "batch")
    throw fieldError("purpose", "is not supported except as batch: files are kept for batches alone");
  const file = parts.find(({ name }) => name === "file");
  if (file === undefined) throw fieldError("file", "is required");
  if (file.bytes.byteLength === 0) throw fieldError("file", "must not be empty");
  return {
    filename: (file.filename ?? "file.jsonl").slice(0, FILE_NAME_LENGTH_MAX),
    bytes: file.bytes,
    expiresAfterMs: expiryOf(parts),
  };
}

/** OpenAI's clients write the object's fields one by one. */
function expiryOf(parts: readonly FormPart[]): number | undefined {
  const textOf = (field: string) => {
    const part = parts.find(({ name }) => name === `expires_after[${field}]`);
    return part && new TextDecoder().decode(part.bytes).trim();
  };
  const [anchor, seconds] = [textOf("anchor"), textOf("seconds")];
  if (anchor === undefined && seconds === undefined) return undefined;
  if (anchor !== "created_at") throw fieldError("expires_after.anchor", "must be created_at");
  const { min, max } = EXPIRES_AFTER_S;
  if (seconds === undefined || !/^\d{1,9}$/.test(seconds) || Number(seconds) < min || Number(seconds) > max)
    throw fieldError("expires_after.seconds", `must be an integer from ${min} to ${max}`);
  return Number(seconds) * 1000;
}

/** Errors: `not_found` for what is no file's id, or is not kept. */
export function noSuchFile(field?: string): DroverError {
  return new DroverError("not_found", "the file is not kept here", field === undefined ? {} : { field });
}
