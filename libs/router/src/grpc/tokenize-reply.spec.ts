import { fromBinary } from "@bufbuild/protobuf";
import { publicApi } from "@drover/proto";
import { expect, test } from "vitest";
import { REPLY_SLICE_TOKENS } from "../limits.ts";
import { tokenizeReply } from "./tokenize-reply.ts";

test.each([0, 1, REPLY_SLICE_TOKENS, 3 * REPLY_SLICE_TOKENS + 7])(
  "a reply of %i ids is read as one list of them",
  async (count) => {
    const ids = Uint32Array.from({ length: count }, (_, i) => (i * 7919) % 202_048);
    const reply = fromBinary(publicApi.TokenizeReplySchema, await tokenizeReply(ids));
    expect(reply.tokenIds).toEqual([...ids]);
  },
);

test("others get their turn while a long reply is written", async () => {
  let turns = 0;
  const counting = setInterval(() => turns++, 0);
  const writing = tokenizeReply(new Uint32Array(64 * REPLY_SLICE_TOKENS).fill(200_000));
  await writing;
  clearInterval(counting);
  expect(turns).toBeGreaterThan(3);
});
