import { publicApi } from "@drover/proto";
import { slicesOf } from "../requests/token-text.ts";
import { messageOfParts } from "./reply-bytes.ts";

/** The bytes of a `TokenizeReply`, which may have millions of ids. */
export function tokenizeReply(ids: Uint32Array): Promise<Buffer> {
  return messageOfParts(publicApi.TokenizeReplySchema, parts(ids));
}

function* parts(ids: Uint32Array) {
  for (const slice of slicesOf(ids)) yield { tokenIds: [...slice] };
}
