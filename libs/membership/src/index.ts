export * from "./limits.ts";
export * from "./member.ts";
export * from "./membership.ts";
