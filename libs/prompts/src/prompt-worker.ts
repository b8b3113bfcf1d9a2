import { parentPort, workerData } from "node:worker_threads";
import { JinjaChatTemplate, LocalPromptEncoder } from "@drover/chat";
import { assert, DroverError, neverAborted } from "@drover/core";
import { BytePairTokenizer } from "@drover/tokenizer";
import type { ThreadReply, ThreadRequest, ThreadSettings } from "./thread-messages.ts";

/** A thread of the pool: encodes one prompt after the other. What it does not expect ends it, and the pool replaces it. */
const port = parentPort;
assert(port !== null, "prompt-worker.ts runs as a thread of the pool");
let encoder: LocalPromptEncoder | undefined;

port.on("message", async (request: ThreadRequest) => {
  try {
    encoder ??= createEncoder(workerData);
    const ids = await encode(encoder, request);
    assert(ids.buffer instanceof ArrayBuffer, "ids lie in a buffer of their own");
    port.postMessage({ kind: "ids", ids } satisfies ThreadReply, [ids.buffer]);
  } catch (error) {
    if (!(error instanceof DroverError)) throw error;
    const { code, message, field } = error;
    port.postMessage({ kind: "refused", code, message, field } satisfies ThreadReply);
  }
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
