import { JinjaChatTemplate, LocalPromptEncoder } from "@drover/chat";
import { assert, neverAborted } from "@drover/core";
import { serveThread } from "@drover/threads";
import { BytePairTokenizer } from "@drover/tokenizer";
import { withFirst } from "./first-token.ts";
import { unpackPrompt } from "./packed-prompt.ts";
import type { PromptRequest, PromptSettings } from "./prompt-messages.ts";

/** A thread of the prompt pool: encodes one prompt after the other. A template that cannot be parsed is refused while it loads. */
await serveThread(async ({ vocabulary, template, patchesPerTile }: PromptSettings) => {
  const tokenizer = BytePairTokenizer.over(vocabulary);
  const rendering = new JinjaChatTemplate(template, { tokenizer, now: Date.now });
  const encoder = new LocalPromptEncoder({ tokenizer, template: rendering, patchesPerTile });
  return {
    answer: async (request: PromptRequest) => {
      const prompt = request.kind === "packed" ? unpackPrompt(request.bytes) : request;
      if (prompt.kind === "text")
        return withFirst(await encoder.encodeText(prompt.text, neverAborted, prompt.isMarked), prompt);
      return encoder.encodeChat(prompt.input, request.kind === "text" ? [] : request.images, neverAborted);
    },
    buffersOf: (ids: Uint32Array) => {
      assert(ids.buffer instanceof ArrayBuffer, "ids lie in a buffer of their own");
      return [ids.buffer];
    },
  };
});
