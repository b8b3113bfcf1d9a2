export type { Refusal } from "./admission.ts";
export { type AttentionServiceOptions, attentionService } from "./attention-service.ts";
export { Engine, type EngineObserver, type EngineOptions } from "./engine.ts";
export { ExpertLoader, type ExpertStore } from "./expert-loader.ts";
export { ExpertPeers, holderMapOf } from "./expert-peers.ts";
export { ENGINE_LIMITS } from "./limits.ts";
export type { EventSink } from "./router-outbox.ts";
export { SchedulerLink, type SchedulerLinkOptions } from "./scheduler-link.ts";
export { type GenerationTask, taskOf } from "./task.ts";
