// A request that a worker takes is a task; its attempt is traced from the moment in which it is taken.

export { beginGeneration } from "./generation-trace.ts";
export { type GenerationTask, taskOf } from "./task.ts";

// The decode loop runs it, one step after the other, and says what it does.

export { Engine } from "./engine.ts";
export type { EngineObserver, StepFacts } from "./engine-options.ts";

// Its events go out to the router that asked.

export type { EventSink } from "./router-outbox.ts";
