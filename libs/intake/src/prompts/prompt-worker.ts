import { JinjaChatTemplate, LocalPromptEncoder } from "@drover/chat";
import { assert, neverAborted } from "@drover/core";
import { serveThread } from "@drover/threads";
import { BytePairTokenizer } from "@drover/tokenizer";
import type { PromptRequest, PromptSettings } from "./prompt-messages.ts";

/** A thread of the prompt pool: encodes one prompt after the other. A template that cannot be parsed is refused while it loads. */
await serveThread(async ({ vocabulary, template, patchesPerTile }: PromptSettings) => {
  const tokenizer = BytePairTokenizer.over(vocabulary);
  const rendering = new JinjaChatTemplate(template, { tokenizer, now: Date.now });
  const encoder = new LocalPromptEncoder({ tokenizer, template: rendering, patchesPerTile });
  return {
    answer: (request: PromptRequest) =>
      request.kind === "text"
        ? encoder.encodeText(request.text, neverAborted)
        : encoder.encodeChat(request.input, request.images, neverAborted),
    buffersOf: (ids: Uint32Array) => {
      assert(ids.buffer instanceof ArrayBuffer, "ids lie in a buffer of their own");
      return [ids.buffer];
    },
  };
});
