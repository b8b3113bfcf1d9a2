export * from "./client.ts";
export * from "./errors.ts";
export * from "./server.ts";
export * from "./service.ts";
export * from "./settings.ts";
