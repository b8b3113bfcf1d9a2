export { Engine } from "./engine.ts";
export type { EngineObserver } from "./engine-options.ts";
export { beginGeneration } from "./request-trace.ts";
export type { EventSink } from "./router-outbox.ts";
export { type GenerationTask, taskOf } from "./task.ts";
