// A worker is started with its roles, and joins the scheduler that leads.

export { startWorker } from "./start-worker.ts";

// Its link to the scheduler, for who plays a worker: what it tells of its cache, and how the scheduler is called.

export type { ReportedCache } from "./link/cache-report.ts";
export { joinOverGrpc } from "./link/join-over-grpc.ts";
export { SchedulerLink } from "./link/scheduler-link.ts";
