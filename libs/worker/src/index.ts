export type { ReportedCache } from "./link/cache-report.ts";
export { joinOverGrpc } from "./link/join-over-grpc.ts";
export { SchedulerLink } from "./link/scheduler-link.ts";
export { startWorker } from "./start-worker.ts";
