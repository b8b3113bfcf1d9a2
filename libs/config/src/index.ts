export * from "./address-flags.ts";
export * from "./command-config.ts";
export * from "./ending.ts";
export * from "./flag.ts";
export * from "./help-text.ts";
export * from "./life-flags.ts";
export * from "./parent.ts";
export * from "./parse-config.ts";
