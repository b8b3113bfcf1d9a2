import type { CallStyle } from "@drover/grammar";

/** A checkpoint's own settings for sampling, where a client is silent. */
export type SamplingDefaults = Readonly<{
  bosTokenId: number | undefined;
  eosTokenIds: readonly number[];
  doSample: boolean;
  temperature: number | undefined;
  topP: number | undefined;
  topK: number | undefined;
  maxNewTokens: number | undefined;
}>;

/** What reading a request takes from the model that will answer it. */
export type ModelFacts = Readonly<{
  modelId: string;
  /** Other names that requests may give it. */
  aliases: readonly string[];
  vocabSize: number;
  /** Tokens that prompt and output may have together, as things stand. */
  contextTokensMax: number;
  readsImages: boolean;
  /** How the model has learned to write calls of tools. */
  callStyle: CallStyle;
  defaults: SamplingDefaults;
}>;
