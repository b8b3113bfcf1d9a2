import { DroverError } from "@drover/core";
import { type Static, Type } from "typebox";
import { FILE_NAME_LENGTH_MAX } from "../limits.ts";
import { fieldError } from "../schema/check.ts";
import type { FormPart } from "./multipart.ts";

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
});

/** A file that comes up. */
export type UploadedFile = Readonly<{ filename: string; bytes: Uint8Array }>;

/** Reads the form of `POST /v1/files`. Errors: `invalid_argument`, naming the field. */
export function readUpload(parts: readonly FormPart[]): UploadedFile {
  const purpose = parts.find(({ name }) => name === "purpose");
  if (purpose === undefined) throw fieldError("purpose", "is required");
  if (new TextDecoder().decode(purpose.bytes).trim() !== "batch")
    throw fieldError("purpose", "is not supported except as batch: files are kept for batches alone");
  const file = parts.find(({ name }) => name === "file");
  if (file === undefined) throw fieldError("file", "is required");
  if (file.bytes.byteLength === 0) throw fieldError("file", "must not be empty");
  return { filename: (file.filename ?? "file.jsonl").slice(0, FILE_NAME_LENGTH_MAX), bytes: file.bytes };
}

/** Errors: `not_found` for what is no file's id, or is not kept. */
export function noSuchFile(field?: string): DroverError {
  return new DroverError("not_found", "the file is not kept here", field === undefined ? {} : { field });
}
