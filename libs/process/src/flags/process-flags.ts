import { LOG_LEVELS, TRACE_FLAGS } from "@drover/telemetry";
import { ADDRESS_FLAGS } from "./address-flags.ts";
import type { Config, Flag } from "./flag.ts";
import { LIFE_FLAGS } from "./life-flags.ts";
import { MEMBER_FLAGS } from "./member-flags.ts";

/** Flags that every process of a cluster has, whatever it does; `serve` reads them. */
export const PROCESS_FLAGS = {
  ...LIFE_FLAGS,
  ...TRACE_FLAGS,
  ...ADDRESS_FLAGS,
  ...MEMBER_FLAGS,
  logLevel: { kind: "choice", choices: LOG_LEVELS, default: "info", help: "What is logged." },
} as const;

/** A spec that has these flags among its own. A process may have other defaults for them. */
export type ProcessFlags = Readonly<Record<keyof typeof PROCESS_FLAGS, Flag>>;

/** What they say. */
export type ProcessConfig = Config<typeof PROCESS_FLAGS>;
