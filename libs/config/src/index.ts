export * from "./command-config.ts";
export * from "./flag.ts";
export * from "./help-text.ts";
export * from "./parent.ts";
export * from "./parse-config.ts";
