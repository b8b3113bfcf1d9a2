export { ExpertSessions } from "./expert-sessions.ts";
export { graphDims } from "./layers.ts";
export { matrixPacker } from "./matrix-packer.ts";
export type { EmbeddingTable, ModelWeights } from "./model-weights.ts";
export { type OpenedWeights, openWeights } from "./open-weights.ts";
export type { SessionOptions } from "./session.ts";
export { TextModel, type TextModelOptions } from "./text-model.ts";
export { VisionEncoder } from "./vision-encoder.ts";
export { VisionThread, type VisionThreadOptions } from "./vision-thread.ts";
