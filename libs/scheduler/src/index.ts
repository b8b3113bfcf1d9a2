// A scheduler leads or stands by. While it leads, workers join it, routers watch it, and jobs of its lanes are placed.

export { Scheduler } from "./scheduler.ts";
