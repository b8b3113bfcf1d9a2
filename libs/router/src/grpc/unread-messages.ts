import { type Metadata, type ServerInterceptor, status } from "@grpc/grpc-js";

type Told = Parameters<Parameters<ServerInterceptor>[1]["sendStatus"]>[0];

/** What is between a call's handler and grpc-js's own call: all that the server itself answers. */
type Answers = Readonly<{
  sendMessage: (message: unknown, next: (message: unknown) => void) => void;
  sendStatus: (told: Told, next: (told: Told) => void) => void;
}>;

/**
 * Has calls that cannot be read, for their bytes are no message or cannot be unpacked or their `grpc-timeout` is none, refused as an invalid argument, with the metadata
 * that is made for it: grpc-js calls all of them a fault of the server's (INTERNAL), by which clients ask again and operators are woken, and says so to its own call alone, past all
 * interceptors. `call` is that one. What comes through the answers keeps its code. Source: grpc-js 1.14, `BaseServerInterceptingCall.decompressAndMaybePush`.
 */
export function refuseUnread(call: Parameters<ServerInterceptor>[1], metadataOf: () => Metadata): Answers {
  let isAnswering = false;
  const answer = (say: () => void) => {
    isAnswering = true;
    try {
      say();
    } finally {
      isAnswering = false;
    }
  };
  const send = call.sendStatus.bind(call);
  call.sendStatus = (told) => {
    if (isAnswering || told.code !== status.INTERNAL) return send(told);
    const details = `the call cannot be read: ${told.details}`;
    send({ code: status.INVALID_ARGUMENT, details, metadata: metadataOf() });
  };
  return {
    sendMessage: (message, next) => answer(() => next(message)),
    sendStatus: (told, next) => answer(() => next(told)),
  };
}
