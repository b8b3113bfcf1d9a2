// Weights come from a checkpoint, and are packed as this CPU's kernels want them.

export { runtimeVersion } from "./runtime-version.ts";
export { expertBytes } from "./weights/expert-bytes.ts";
export { matrixPacker } from "./weights/matrix-packer.ts";
export type { ModelWeights } from "./weights/model-weights.ts";
export { openWeights } from "./weights/open-weights.ts";

// The text model computes a step's rows; experts are sessions of their own, in this process or another one.

export { ExpertSessions } from "./text/expert-sessions.ts";
export { TextModel } from "./text/text-model.ts";

// Keys and values lie in extents of a sequence's rows, and in segments of other workers' long contexts.

export { ContextStore } from "./kv/context-store.ts";
export { ExtentStore } from "./kv/extent-store.ts";

// Images become features, on a thread.

export { VisionEncoder } from "./vision/vision-encoder.ts";
export { VisionThread } from "./vision/vision-thread.ts";
