import { setImmediate } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { publicApi } from "@drover/proto";
import { slicesOf } from "../requests/token-text.ts";

/**
 * The bytes of a `TokenizeReply`, which may have millions of ids: the event loop gets its turn between two slices. A list's parts that come one
 * after the other in a message are one list (protobuf's encoding guide, "Packed Repeated Fields").
 */
export async function tokenizeReply(ids: Uint32Array): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for (const slice of slicesOf(ids)) {
    if (parts.length > 0) await setImmediate();
    parts.push(
      toBinary(publicApi.TokenizeReplySchema, create(publicApi.TokenizeReplySchema, { tokenIds: [...slice] })),
    );
  }
  return Buffer.concat(parts);
}
