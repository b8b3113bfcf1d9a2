import { type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { assert } from "@drover/core";
import { flatMessage } from "./flat-message.ts";
import type { MessageCodec } from "./message-codec.ts";

/** The codec of messages of numbers, bytes and texts that are exchanged with every request: {@link flatMessage}, and protobuf-es for what that does not know. It writes what protobuf-es writes. Errors: as protobuf-es. */
export function flatCodec<D extends DescMessage>(schema: D): MessageCodec<MessageShape<D>> {
  const flat = flatMessage(schema);
  assert(flat !== undefined, `${schema.typeName} has numbers, bytes and texts alone`);
  return {
    serialize: (message) => {
      const written = flat.write(message);
      // The next message is written to the same bytes.
      if (written !== undefined) return Buffer.from(written);
      const bytes = toBinary(schema, message);
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    },
    deserialize: (bytes) => flat.read(bytes) ?? fromBinary(schema, bytes),
  };
}
