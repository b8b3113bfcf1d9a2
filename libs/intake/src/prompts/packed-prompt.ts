import { deserialize, serialize } from "node:v8";
import type { ChatInput } from "@drover/chat";

/** A prompt as a thread reads it and another one encodes it. */
export type UnpackedPrompt =
  | Readonly<{
      kind: "text";
      text: string;
      isMarked?: boolean;
      /** Comes before it, unless it begins with it. */
      first?: number | undefined;
    }>
  | Readonly<{ kind: "chat"; input: ChatInput }>;

/** The prompt in bytes of its own, which threads hand over without looking at what is in them. Numbers keep their form. */
export function packPrompt(prompt: UnpackedPrompt): Uint8Array<ArrayBuffer> {
  return new Uint8Array(serialize(prompt));
}

/** What `packPrompt` was given. Only for bytes of this process's own: they are not checked. */
export function unpackPrompt(bytes: Uint8Array): UnpackedPrompt {
  return deserialize(bytes);
}
