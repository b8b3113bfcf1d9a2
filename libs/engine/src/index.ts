export { Engine, type EngineObserver, type EngineOptions, type Refusal } from "./engine.ts";
export { ENGINE_LIMITS } from "./limits.ts";
export type { EventSink } from "./router-outbox.ts";
export { type GenerationTask, taskOf } from "./task.ts";
