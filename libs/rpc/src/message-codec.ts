import { type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";

/** How a message becomes bytes and is read from them. All codecs of a message are wire-compatible. */
export interface MessageCodec<T> {
  serialize(value: T): Buffer;
  /** Errors: throws for bytes that are no such message, and gRPC refuses the call. */
  deserialize(bytes: Buffer): T;
}

/** The plain codec of protobuf-es. It copies what it writes twice. */
export function plainCodec<D extends DescMessage>(schema: D): MessageCodec<MessageShape<D>> {
  return {
    serialize: (value) => {
      const bytes = toBinary(schema, value);
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    },
    deserialize: (bytes) => fromBinary(schema, bytes),
  };
}
