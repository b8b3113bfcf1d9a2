import { DroverError } from "@drover/core";
import { isDataUrl, packPrompt, readDataUrl } from "@drover/intake";
import type { ImageReference, PackedPrompt, PromptQuery } from "@drover/openai";
import type { BodyQuery } from "./body-reader.ts";

/**
 * The query, or each of several, with its prompt in the form in which it leaves the thread: a conversation packed, so that the thread that it comes to does not walk
 * through its values, and the images of data URLs and a text that the reply repeats as bytes.
 * Errors: `invalid_argument` by the field for a data URL that holds no image.
 */
export function packedQuery(query: BodyQuery): BodyQuery {
  if (query instanceof Uint32Array) return query;
  if (!("prompt" in query)) return query.map((one) => ({ ...one, prompt: packed(one.prompt, one.echo) }));
  return { ...query, prompt: packed(query.prompt, false) };
}

function packed(prompt: PromptQuery, isEchoed: boolean): PromptQuery {
  switch (prompt.kind) {
    case "tokens":
    case "packed":
      return prompt;
    case "text": {
      const { field, text, first, isMarked, looksMarked } = prompt;
      const reading = { isMarked, looksMarked };
      const packed = packedPrompt(field, packPrompt({ kind: "text", text, isMarked, first }), reading, []);
      return isEchoed ? { ...packed, echoed: new TextEncoder().encode(text) } : packed;
    }
    case "chat": {
      const { field, input, images } = prompt;
      return packedPrompt(field, packPrompt({ kind: "chat", input }), undefined, images.map(readImage));
    }
  }
}

function packedPrompt(
  field: PackedPrompt["field"],
  bytes: PackedPrompt["bytes"],
  reading: PackedPrompt["reading"],
  images: readonly ImageReference[],
): PackedPrompt {
  return { kind: "packed", field, bytes, reading, images };
}

function readImage(image: ImageReference): ImageReference {
  if (!isDataUrl(image.url)) return image;
  try {
    return { url: "", field: image.field, file: new Uint8Array(readDataUrl(image.url)) };
  } catch (error) {
    if (!(error instanceof DroverError)) throw error;
    throw new DroverError(error.code, error.message, { field: image.field, cause: error.cause });
  }
}

/** The buffers of a query, which are handed over instead of copied. */
export function buffersOf(query: unknown): ArrayBuffer[] {
  if (query instanceof Uint32Array) return own(query);
  if (Array.isArray(query)) return query.flatMap(buffersOf);
  const prompt =
    typeof query === "object" && query !== null && "prompt" in query ? (query.prompt as PromptQuery) : undefined;
  if (prompt?.kind === "tokens") return own(prompt.ids);
  if (prompt?.kind !== "packed") return [];
  const files = prompt.images.flatMap(({ file }) => (file === undefined ? [] : [file]));
  return [prompt.bytes, ...(prompt.echoed === undefined ? [] : [prompt.echoed]), ...files].flatMap(own);
}

function own({ buffer }: Uint8Array | Uint32Array): ArrayBuffer[] {
  return buffer instanceof ArrayBuffer ? [buffer] : [];
}
