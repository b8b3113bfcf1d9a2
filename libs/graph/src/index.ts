export * from "./attention.ts";
export { FLAT_OUTPUT } from "./blocks.ts";
export * from "./dims.ts";
export { type BuiltGraph, GraphBuilder } from "./graph-builder.ts";
export * from "./head.ts";
export { linearGraph, type PreparedWeight, readPrepared } from "./prepared.ts";
export * from "./stages.ts";
export * from "./vision-dims.ts";
export * from "./vision-stages.ts";
