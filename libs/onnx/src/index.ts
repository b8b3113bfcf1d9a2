export { ContextStore } from "./kv/context-store.ts";
export { runtimeVersion } from "./runtime-version.ts";
export { ExpertSessions } from "./text/expert-sessions.ts";
export { TextModel } from "./text/text-model.ts";
export { VisionEncoder } from "./vision/vision-encoder.ts";
export { VisionThread } from "./vision/vision-thread.ts";
export { matrixPacker } from "./weights/matrix-packer.ts";
export type { ModelWeights } from "./weights/model-weights.ts";
export { openWeights } from "./weights/open-weights.ts";
