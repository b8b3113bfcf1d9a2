import { Readable } from "node:stream";
import { DroverError } from "@drover/core";
import { noSuchFile, readBatch, readForm, readUpload } from "@drover/openai";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { BatchRunner } from "../batches/batch-runner.ts";
import type { StoredBatches } from "../batches/stored-batches.ts";
import { StoredFiles } from "../batches/stored-files.ts";
import type { StoredList } from "../batches/stored-list.ts";
import { receivedBody } from "../bodies/bodies.ts";
import { joined } from "../bodies/body-blocks.ts";
import { parseJson } from "../bodies/request-json.ts";
import { INLINE_BODY_BYTES_MAX, LIST_PAGE_DEFAULT, LIST_PAGE_MAX } from "../limits.ts";
import { clientSignal } from "./client-signal.ts";
import { type QueryString, queryParameter } from "./query-parameter.ts";
import { accountOf } from "./request-accounts.ts";

export type BatchParts = Readonly<{ files: StoredFiles; batches: StoredBatches; runner: BatchRunner }>;

/** Empty: the house's own keys, or nobody is told apart. */
const tenantOf = (request: FastifyRequest): string => accountOf(request).tenant?.name ?? "";

/** Files, and batches of their requests, each of the tenant's alone. */
export function addBatchRoutes(api: FastifyInstance, { files, batches, runner }: BatchParts): void {
  type Named = { Params: { id: string } };
  type Listed = { Querystring: QueryString };
  api.post("/v1/files", (request, reply) => upload(request, reply, files));
  api.get<Listed>("/v1/files", (request, { raw }) => {
    const tenant = tenantOf(request);
    const find = (id: string, signal: AbortSignal) => files.find(id, tenant, signal);
    return page(files.lists.of(tenant), request.query, find, clientSignal(raw));
  });
  api.get<Named>("/v1/files/:id", async (request, { raw }) => {
    const file = await files.find(request.params.id, tenantOf(request), clientSignal(raw));
    if (file === undefined) throw noSuchFile();
    return file;
  });
  api.get<Named>("/v1/files/:id/content", async (request, reply) => {
    const signal = clientSignal(reply.raw);
    const [{ id }, tenant] = [request.params, tenantOf(request)];
    const file = await files.find(id, tenant, signal);
    if (file === undefined) throw noSuchFile();
    return reply
      .header("content-type", "application/octet-stream")
      .send(Readable.from(files.bytes(id, tenant, signal)));
  });
  api.delete<Named>("/v1/files/:id", async (request, { raw }) => {
    await files.forget(request.params.id, tenantOf(request), clientSignal(raw));
    return { id: request.params.id, object: "file", deleted: true };
  });
  api.post("/v1/batches", async (request, { raw }) => {
    using body = receivedBody(request);
    if (body.blocks.byteLength > INLINE_BODY_BYTES_MAX * 2)
      throw new DroverError("payload_too_large", "a batch's requests are in its file, and the body is small");
    return runner.create(readBatch(parseJson(joined(body.blocks.blocks))), tenantOf(request), clientSignal(raw));
  });
  api.get<Listed>("/v1/batches", (request, { raw }) => {
    const tenant = tenantOf(request);
    const find = async (id: string, signal: AbortSignal) => (await batches.findFor(id, tenant, signal))?.batch;
    return page(batches.lists.of(tenant), request.query, find, clientSignal(raw));
  });
  api.get<Named>("/v1/batches/:id", async (request, { raw }) => {
    const record = await batches.findFor(request.params.id, tenantOf(request), clientSignal(raw));
    if (record === undefined) throw new DroverError("not_found", "the batch is not kept here");
    return record.batch;
  });
  api.post<Named>("/v1/batches/:id/cancel", (request, { raw }) =>
    runner.cancel(request.params.id, tenantOf(request), clientSignal(raw)),
  );
}

async function upload(request: FastifyRequest, { raw }: FastifyReply, files: StoredFiles) {
  using body = receivedBody(request);
  const { bytes, ...named } = readUpload(readForm(request.headers["content-type"], joined(body.blocks.blocks)));
  const facts = { ...named, id: StoredFiles.newId(), purpose: "batch", tenant: tenantOf(request) } as const;
  return files.keep(facts, bytes, clientSignal(raw));
}

/** A page of what is listed, the newest first; what is gone is left out. Errors: `invalid_argument` for a limit that is none, or what comes twice. */
async function page<T extends Readonly<{ id: string }>>(
  list: StoredList,
  query: QueryString,
  find: (id: string, signal: AbortSignal) => Promise<T | undefined>,
  signal: AbortSignal,
) {
  const limit = queryParameter(query, "limit") ?? String(LIST_PAGE_DEFAULT);
  const after = queryParameter(query, "after");
  if (!/^\d{1,6}$/.test(limit) || Number(limit) < 1)
    throw new DroverError("invalid_argument", "must be a positive integer", { field: "limit" });
  const size = Math.min(Number(limit), LIST_PAGE_MAX);
  const ids = (await list.ids(signal)).toReversed();
  const left = after === undefined ? ids : ids.slice(ids.indexOf(after) + 1);
  const found = await Promise.all(left.slice(0, size).map((id) => find(id, signal)));
  const data = found.filter((one) => one !== undefined);
  const ends = { first_id: data.at(0)?.id ?? null, last_id: data.at(-1)?.id ?? null };
  return { object: "list", data, ...ends, has_more: left.length > size };
}
