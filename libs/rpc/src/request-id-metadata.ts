import { randomUUID } from "node:crypto";
import { Metadata, ServerInterceptingCall, type ServerInterceptor } from "@grpc/grpc-js";

/** What support and logs know a call by, as over HTTP. */
const REQUEST_ID = "x-request-id";

/** An id that can stand in a header and in a line of a log as it came. */
const SHORT_AND_PRINTABLE = /^[ -~]{1,128}$/;

/** A call's id: the client's own where it is short and printable, else one made here, which the metadata has from then on. */
export function requestIdIn(metadata: Metadata): string {
  const [given] = metadata.get(REQUEST_ID);
  if (typeof given === "string" && SHORT_AND_PRINTABLE.test(given)) return given;
  const id = randomUUID();
  metadata.set(REQUEST_ID, id);
  return id;
}

/** Puts a call's id into what its client gets. */
export const tellIdIn = (metadata: Metadata, id: string): void => metadata.set(REQUEST_ID, id);

/** Has every answer of a call tell its id: in its initial metadata, and where it has none, as one that is refused at once, in its trailers. */
export const tellRequestIds: ServerInterceptor = (_method, call) => {
  let id: string | undefined;
  let isTold = false;
  return new ServerInterceptingCall(call, {
    start: (next) =>
      next({
        onReceiveMetadata: (metadata, toHandler) => {
          id = requestIdIn(metadata);
          toHandler(metadata);
        },
      }),
    sendMetadata: (metadata, next) => {
      isTold = true;
      if (id !== undefined) metadata.set(REQUEST_ID, id);
      next(metadata);
    },
    sendStatus: (status, next) => {
      if (isTold || id === undefined) return next(status);
      const trailers = status.metadata ?? new Metadata();
      trailers.set(REQUEST_ID, id);
      next({ ...status, metadata: trailers });
    },
  });
};
