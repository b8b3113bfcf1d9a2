import { workerData } from "node:worker_threads";
import { JinjaChatTemplate, LocalPromptEncoder } from "@drover/chat";
import { assert, neverAborted } from "@drover/core";
import { serveThread } from "@drover/threads";
import { BytePairTokenizer } from "@drover/tokenizer";
import type { ThreadRequest, ThreadSettings } from "./thread-messages.ts";

let encoder: LocalPromptEncoder | undefined;

/** A thread of the prompt pool: encodes one prompt after the other. */
serveThread({
  answer: async (request: ThreadRequest) => {
    // Made with the first request, so that a template which cannot be parsed refuses it instead of ending the thread.
    encoder ??= createEncoder(workerData);
    return encode(encoder, request);
  },
  buffersOf: (ids: Uint32Array) => {
    assert(ids.buffer instanceof ArrayBuffer, "ids lie in a buffer of their own");
    return [ids.buffer];
  },
});

function createEncoder({ vocabulary, template, patchesPerTile }: ThreadSettings): LocalPromptEncoder {
  const tokenizer = BytePairTokenizer.over(vocabulary);
  const rendering = new JinjaChatTemplate(template, { tokenizer, now: Date.now });
  return new LocalPromptEncoder({ tokenizer, template: rendering, patchesPerTile });
}

async function encode(encoder: LocalPromptEncoder, request: ThreadRequest): Promise<Uint32Array> {
  switch (request.kind) {
    case "ready":
      return new Uint32Array();
    case "text":
      return encoder.encodeText(request.text, neverAborted);
    case "chat":
      return encoder.encodeChat(request.input, request.images, neverAborted);
  }
}
