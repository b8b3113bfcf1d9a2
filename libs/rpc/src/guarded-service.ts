import { crashOnFailedAssertion, DroverError } from "@drover/core";
import type { Metadata, sendUnaryData, UntypedHandleCall, UntypedServiceImplementation } from "@grpc/grpc-js";
import { toServiceError } from "./errors.ts";
import { agree, type Protocol, protocolOf, protocolText } from "./protocol.ts";

/** What all kinds of calls have: who answers one unary call gets a callback too, and streams are told by an `error` event. */
type Call = Readonly<{ metadata: Metadata; emit(event: "error", error: Error): boolean }>;
type Handler = (call: Call, callback?: sendUnaryData<unknown>) => void;

/**
 * The service, but that callers whose protocol does not agree are refused before anything of them is read (`protocol_mismatch`),
 * and that an assertion which fails in a handler crashes the process.
 */
export function guardedService(service: UntypedServiceImplementation, own: Protocol): UntypedServiceImplementation {
  return Object.fromEntries(
    Object.entries(service).map(([name, handle]) => {
      const handler = handle as unknown as Handler;
      const guarded: Handler = (call, callback) => {
        const theirs = protocolOf(call.metadata);
        if (agree(own, theirs)) {
          runOrCrash(() => handler(call, callback));
          return;
        }
        const error = toServiceError(mismatch(own, theirs));
        if (callback === undefined) call.emit("error", error);
        else callback(error);
      };
      return [name, guarded as unknown as UntypedHandleCall];
    }),
  );
}

/** grpc-js answers whatever a handler throws with UNKNOWN and says it nowhere. */
function runOrCrash(handle: () => void): void {
  try {
    handle();
  } catch (error) {
    crashOnFailedAssertion(error);
    throw error;
  }
}

function mismatch(own: Protocol, theirs: Protocol): DroverError {
  const message = `the caller speaks protocol ${protocolText(theirs)} (newest/oldest) and this process ${protocolText(own)}: they are of versions that cannot serve together`;
  return new DroverError("protocol_mismatch", message);
}
