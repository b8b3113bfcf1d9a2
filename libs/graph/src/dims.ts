/** The sizes that Llama 4's graphs are authored from; all read from config.json. Letters as in Meta's moe.py. */
export type GraphDims = Readonly<{
  /** D: hidden size. */
  hiddenSize: number;
  /** Query heads, KV heads, and the size of each. */
  headCount: number;
  kvHeadCount: number;
  headDim: number;
  /** F: width of experts and of the shared expert. */
  expertWidth: number;
  /** Width of dense layers. */
  denseWidth: number;
  expertCount: number;
  vocabSize: number;
  rmsNormEps: number;
  useQkNorm: boolean;
}>;

/** Attention weights, Linear layout [out, in]. */
export type AttentionWeights = Readonly<{
  norm: Float32Array;
  q: Float32Array;
  k: Float32Array;
  v: Float32Array;
  /** Tables of [positions, headDim / 2] for layers with RoPE; null for global (NoPE) layers, whose queries take a temperature. */
  rope: Readonly<{ cos: Float32Array; sin: Float32Array }> | null;
}>;

/** A SwiGLU block, Linear layout: gate and up [F, D], down [D, F]. */
export type MlpWeights = Readonly<{ gate: Float32Array; up: Float32Array; down: Float32Array }>;
