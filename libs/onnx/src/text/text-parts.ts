import type { ModelConfig } from "@drover/checkpoint";
import type { ExpertExchange } from "@drover/core";
import type { Attention } from "../attention/attention.ts";
import type { CachedAttention } from "../attention/cached-attention.ts";
import type { DecodeAttention } from "../attention/decode-attention.ts";
import type { RowsContext } from "../attention/sequence-rows.ts";
import type { EmbeddingTable } from "../weights/model-weights.ts";
import type { TextStages } from "./layers.ts";

/** What every step of a model uses. */
export type TextParts = Readonly<{
  config: ModelConfig;
  stages: TextStages;
  embedding: EmbeddingTable;
  attention: Attention;
  decodeAttention: DecodeAttention;
  /** Of rows that can be attended to in place. */
  cachedAttention: CachedAttention | undefined;
  rowsContext: RowsContext;
  exchange: ExpertExchange;
}>;
