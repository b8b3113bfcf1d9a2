import type { ImageTiles, PatchRun, SamplingParams } from "@drover/core";
import type { GenerationQuery } from "./generation-query.ts";

/** An image of a prompt: its tiles, and the prompt rows that its features take the place of. */
export type RequestImage = Readonly<{ tiles: ImageTiles; runs: readonly PatchRun[] }>;

/** A query's prompt as the model reads it. */
export type PreparedPrompt = Readonly<{
  tokenIds: Uint32Array;
  images: readonly RequestImage[];
  /** What `echo` gives back before the generated text; undefined without it. */
  echoText: string | undefined;
}>;

/** A request that can run: tokenized, and known to fit the context. */
export type InferenceRequest = Pick<GenerationQuery, "stop" | "toolCalls" | "constraint" | "shown"> &
  Readonly<{
    promptTokenIds: Uint32Array;
    images: readonly RequestImage[];
    echoText: string | undefined;
    sampling: SamplingParams;
  }>;
