import { crashOnFailedAssertion, DroverError, ERROR_CODES, toDroverError } from "@drover/core";
import { errorReply, GENERATION_ENDPOINTS, publicError } from "@drover/openai";
import type { FastifyError, FastifyReply } from "fastify";
import { tellRequestId } from "./request-id.ts";

/** Answers with the error's HTTP status. An `internal` error's own text stays in the log. */
export function sendError(reply: FastifyReply, error: DroverError): FastifyReply {
  // Fastify answers some requests before any hook has run.
  tellRequestId(reply.raw, reply.request.url, reply.request.id);
  if (error.retryAfterMs !== undefined) reply.header("retry-after", String(Math.ceil(error.retryAfterMs / 1000)));
  return reply
    .code(ERROR_CODES[error.code].http)
    .header("content-type", "application/json; charset=utf-8")
    .send(JSON.stringify(refusalOf(reply)(publicError(error))));
}

/** How the endpoint that was asked tells an error, or the one below which nothing is served. */
function refusalOf({ request }: FastifyReply): (error: DroverError) => unknown {
  const path = request.routeOptions?.url ?? request.url;
  return GENERATION_ENDPOINTS.find((endpoint) => path.startsWith(endpoint.path))?.refusal ?? errorReply;
}

/**
 * Whatever Fastify or a handler threw. A failed assertion crashes the router; any other unexpected error becomes `internal` for
 * this one request, because other people's code throws them too, and one client's odd request must not end everybody's streams.
 */
export function fromHttpError(error: FastifyError | unknown): DroverError {
  crashOnFailedAssertion(error);
  if (error instanceof DroverError) return error;
  if (error instanceof Error && "statusCode" in error) {
    const status = Number(error.statusCode);
    if (status === 413) return new DroverError("payload_too_large", "the body is too large", { cause: error });
    if (status >= 400 && status < 500) return new DroverError("invalid_argument", error.message, { cause: error });
  }
  return toDroverError(error);
}
