import type { FastifyRequest } from "fastify";
import type { Incoming } from "../requests/request-trace.ts";

/** What the client says of its trace and of its name for the request. Of two lines of a header that may come once, neither is trusted. */
export function incoming({ id, headers, method, routeOptions }: FastifyRequest): Incoming {
  const { traceparent, tracestate } = headers;
  return {
    operation: `${method} ${routeOptions.url}`,
    name: id,
    ...(typeof traceparent === "string" && { traceparent }),
    ...(tracestate !== undefined && { tracestate: [tracestate].flat().join(",") }),
  };
}
