import type { LinearWeight } from "./linear-weight.ts";
import type { RopeTables } from "./rope.ts";

/** Attention weights: the rows of q, k and v in one Linear, [Q + 2*K*d, D]. */
export type AttentionWeights = Readonly<{
  norm: Float32Array;
  qkv: LinearWeight;
  /** Tables of [positions, d / 2] for layers with RoPE; null for global (NoPE) layers, whose queries take a temperature. */
  rope: RopeTables | null;
}>;

/** A SwiGLU block: gate rows, then up rows, in one Linear [2F, D]; down [D, F]. */
export type MlpWeights = Readonly<{ gateUp: LinearWeight; down: LinearWeight }>;
