export type { ReportedCache } from "./link/cache-report.ts";
export { SchedulerLink } from "./link/scheduler-link.ts";
export { startWorker } from "./start-worker.ts";
