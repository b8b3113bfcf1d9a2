import type { SamplingParams } from "@drover/core";
import type { RequestImage } from "./request-images.ts";

/** A request that has been validated and tokenized: everything that is needed to run it, whatever interface it came by. */
export type InferenceRequest = Readonly<{
  promptTokenIds: Uint32Array;
  images: readonly RequestImage[];
  /** What `echo` gives back before the generated text; undefined without it. */
  echoText: string | undefined;
  sampling: SamplingParams;
  /** Matched in the router, over the borders of tokens. */
  stop: readonly string[];
  /** What the model may call; undefined where nothing in its output is a call. */
  toolCalls: ToolCallRules | undefined;
}>;

export type ToolCallRules = Readonly<{
  /** Names of functions. */
  names: readonly string[];
  /** Without it, a reply has at most one call. */
  parallel: boolean;
}>;

/** How the client wants to read it. */
export type ReplyOptions = Readonly<{
  stream: boolean;
  includeUsage: boolean;
  returnTokenIds: boolean;
}>;
