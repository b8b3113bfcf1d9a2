import { randomUUID } from "node:crypto";
import type { IncomingHttpHeaders, ServerResponse } from "node:http";

/** What support and logs know a request by; OpenAI's SDKs show it as `_request_id`. */
export const REQUEST_ID_HEADER = "x-request-id";
/** The same for Anthropic's. */
const ANTHROPIC_HEADER = "request-id";

/** An id that can stand in a header and in a line of a log as it came. */
const SHORT_AND_PRINTABLE = /^[ -~]{1,128}$/;

/** A request's id: the client's own where it is short and printable, else one made here. */
export function requestIdOf(headers: IncomingHttpHeaders): string {
  const given = headers[REQUEST_ID_HEADER];
  return typeof given === "string" && SHORT_AND_PRINTABLE.test(given) ? given : randomUUID();
}

/** Puts the id on a reply, also on one that is streamed. */
export function tellRequestId(response: ServerResponse, path: string, id: string): void {
  if (response.headersSent) return;
  response.setHeader(REQUEST_ID_HEADER, id);
  if (path.startsWith("/v1/messages")) response.setHeader(ANTHROPIC_HEADER, id);
}
