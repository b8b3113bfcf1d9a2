import type { Socket } from "node:net";
import { parseRequestJson } from "@drover/chat";
import { crashOnFailedAssertion, DroverError, ERROR_CODES, toDroverError } from "@drover/core";
import type { FastifyError, FastifyReply } from "fastify";
import { BODY_BYTES_MAX } from "../limits.ts";

/** OpenAI's error object. */
export function errorBody(error: DroverError) {
  return {
    error: {
      message: error.field === undefined ? error.message : `${error.field}: ${error.message}`,
      type: ERROR_CODES[error.code].type,
      param: error.field ?? null,
      code: error.code,
    },
  };
}

/** Answers with the error's HTTP status. An `internal` error's own text stays in the log. */
export function sendError(reply: FastifyReply, error: DroverError): FastifyReply {
  if (error.retryAfterMs !== undefined) reply.header("retry-after", String(Math.ceil(error.retryAfterMs / 1000)));
  return reply
    .code(ERROR_CODES[error.code].http)
    .header("content-type", "application/json; charset=utf-8")
    .send(JSON.stringify(errorBody(publicError(error))));
}

/** What a client may read of an error. */
export function publicError(error: DroverError): DroverError {
  return error.code === "internal" ? new DroverError("internal", "an internal error", { cause: error }) : error;
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
    if (status === 413)
      return new DroverError("payload_too_large", `the body may have at most ${BODY_BYTES_MAX} bytes`, {
        cause: error,
      });
    if (status >= 400 && status < 500) return new DroverError("invalid_argument", error.message, { cause: error });
  }
  return toDroverError(error);
}

/** Answers what is not even HTTP, and closes the connection. */
export function answerBrokenRequest(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === "ECONNRESET" || socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  const body = JSON.stringify(errorBody(new DroverError("invalid_argument", "the request is not valid HTTP")));
  const head = `HTTP/1.1 400 Bad Request\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n`;
  socket.end(head + body);
}

/** What Python's json writes for numbers that JSON does not have. */
const NOT_A_NUMBER = /"(\w{1,40})"\s*:\s*(?:NaN|-?Infinity)\b/;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });

/** A body's JSON. Errors: `invalid_argument` for bytes that are not UTF-8 or text that is not JSON. */
export function parseJson(bytes: Uint8Array): unknown {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch (cause) {
    throw new DroverError("invalid_argument", "the body is not valid UTF-8", { cause });
  }
  try {
    return parseRequestJson(text);
  } catch (cause) {
    const field = NOT_A_NUMBER.exec(text)?.[1];
    if (field !== undefined) throw new DroverError("invalid_argument", "must be a finite number", { field, cause });
    throw new DroverError("invalid_argument", "the body is not valid JSON", { cause });
  }
}
