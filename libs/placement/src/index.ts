export * from "./active-map.ts";
export * from "./drain.ts";
export * from "./expert-assignment.ts";
export * from "./expert-planner.ts";
export * from "./limits.ts";
export * from "./request-placement.ts";
export * from "./reservations.ts";
