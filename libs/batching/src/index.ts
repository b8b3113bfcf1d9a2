export * from "./step-plan.ts";
