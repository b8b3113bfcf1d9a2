export type { PlaceCaller } from "./place-caller.ts";
export { Scheduler, type SchedulerOptions } from "./scheduler.ts";
