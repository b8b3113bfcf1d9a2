import { BatchBody, BatchList, BatchObject } from "../batches/batch-object.ts";
import { DeletedFile, FileForm, FileList, FileObject } from "../batches/file-object.ts";
import type { Endpoint, NamedSchema } from "./endpoint.ts";

const file: NamedSchema = { name: "File", schema: FileObject };
const batch: NamedSchema = { name: "Batch", schema: BatchObject };
const FILE = { file: { in: "path", description: "Its id." } } as const;
const BATCH = { batch: { in: "path", description: "Its id." } } as const;
const PAGE = {
  limit: { in: "query", description: "So many at most, up to 100.", isRequired: false },
  after: { in: "query", description: "Those that are older than the one of this id.", isRequired: false },
} as const;
const tag = "Batches";
const KEPT_ERRORS = ["not_found", "unavailable"] as const;

/** Files of requests, and batches of them. */
export const BATCH_ENDPOINTS: readonly Endpoint[] = [
  {
    method: "post",
    path: "/v1/files",
    tag,
    summary: "Takes a file of requests for a batch",
    description: "JSON Lines, one request each: `custom_id`, `method`, `url` and `body`.",
    body: { name: "FileForm", schema: FileForm },
    bodyType: "multipart/form-data",
    answer: file,
    errors: ["overloaded", "unavailable"],
  },
  {
    method: "get",
    path: "/v1/files",
    tag,
    summary: "Lists files",
    parameters: PAGE,
    answer: { name: "FileList", schema: FileList },
    errors: ["unavailable"],
  },
  {
    method: "get",
    path: "/v1/files/{file}",
    tag,
    summary: "Describes a file",
    parameters: FILE,
    answer: file,
    errors: KEPT_ERRORS,
  },
  {
    method: "get",
    path: "/v1/files/{file}/content",
    tag,
    summary: "Gives a file",
    parameters: FILE,
    answer: { mediaType: "application/octet-stream", description: "The file as it is." },
    errors: KEPT_ERRORS,
  },
  {
    method: "delete",
    path: "/v1/files/{file}",
    tag,
    summary: "Forgets a file",
    parameters: FILE,
    answer: { name: "DeletedFile", schema: DeletedFile },
    errors: KEPT_ERRORS,
  },
  {
    method: "post",
    path: "/v1/batches",
    tag,
    summary: "Answers the requests of a file, when there is room",
    description:
      "A request of a batch begins only while no other one waits for a worker. What is not answered within 24 hours is told as `batch_expired` in the file of errors.",
    body: { name: "BatchRequest", schema: BatchBody },
    answer: batch,
    errors: [...KEPT_ERRORS, "overloaded"],
  },
  {
    method: "get",
    path: "/v1/batches",
    tag,
    summary: "Lists batches",
    parameters: PAGE,
    answer: { name: "BatchList", schema: BatchList },
    errors: ["unavailable"],
  },
  {
    method: "get",
    path: "/v1/batches/{batch}",
    tag,
    summary: "Tells how far a batch is",
    parameters: BATCH,
    answer: batch,
    errors: KEPT_ERRORS,
  },
  {
    method: "post",
    path: "/v1/batches/{batch}/cancel",
    tag,
    summary: "Ends a batch; what is answered by then is kept",
    parameters: BATCH,
    answer: batch,
    errors: KEPT_ERRORS,
  },
];
