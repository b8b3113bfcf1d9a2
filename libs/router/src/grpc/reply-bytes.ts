import { setImmediate } from "node:timers/promises";
import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";

/**
 * The bytes of one message that is given in parts, each with some entries of its lists: the event loop gets its turn between two of them. Parts
 * that follow each other are one message, and their lists one list (protobuf's encoding guide, "Last One Wins" and "Packed Repeated Fields").
 */
export async function messageOfParts<Schema extends DescMessage>(
  schema: Schema,
  parts: Iterable<MessageInitShape<Schema>>,
): Promise<Buffer> {
  const written: Uint8Array[] = [];
  for (const part of parts) {
    if (written.length > 0) await setImmediate();
    written.push(toBinary(schema, create(schema, part)));
  }
  return Buffer.concat(written);
}
