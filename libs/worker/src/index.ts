// A worker is started with its roles, and joins the scheduler that leads.

export { startWorker } from "./start-worker.ts";

// Its roles, for who computes them by something else than a checkpoint and a card.

export { joinedWorker } from "./joined-worker.ts";
export type { Role } from "./role.ts";
export type { RoleContext } from "./role-context.ts";
export { type AttentionParts, attentionParts } from "./roles/attention/attention-parts.ts";
export { AttentionRole } from "./roles/attention/attention-role.ts";
export { ExpertsRole } from "./roles/experts/experts-role.ts";
export type { Worker } from "./worker.ts";

// Its link to the scheduler, for who plays a worker: what it tells of its cache, and how the scheduler is called.

export type { ReportedCache } from "./link/cache-report.ts";
export { joinOverGrpc } from "./link/join-over-grpc.ts";
export { SchedulerLink } from "./link/scheduler-link.ts";
