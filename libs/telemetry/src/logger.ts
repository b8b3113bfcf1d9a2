import type { LogFields, Logger } from "@drover/core";
import { type DestinationStream, destination, type Logger as Pino, pino, stdTimeFunctions } from "pino";

export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export type LoggerOptions = Readonly<{
  /** The kind of process: `router`, `scheduler`, `worker`. */
  process: string;
  level?: LogLevel;
  /** Put on every line, such as the worker's id. */
  fields?: LogFields;
  /** Standard error when absent. */
  destination?: DestinationStream;
}>;

const STANDARD_ERROR = 2;

/**
 * A logger that writes one JSON object a line to standard error: `level`, `time`, `process`, `pid`, `event` and the fields.
 * Lines are written at once, so that what a process said before it was killed is not lost.
 */
export function createLogger(options: LoggerOptions): Logger {
  const output = options.destination ?? destination({ dest: STANDARD_ERROR, sync: true });
  return wrap(
    pino(
      {
        level: options.level ?? "info",
        base: { process: options.process, pid: process.pid, ...options.fields },
        messageKey: "event",
        timestamp: stdTimeFunctions.isoTime,
        formatters: { level: (label) => ({ level: label }) },
      },
      output,
    ),
  );
}

function wrap(logger: Pino): Logger {
  return {
    debug: (event, fields) => logger.debug(fields ?? {}, event),
    info: (event, fields) => logger.info(fields ?? {}, event),
    warn: (event, fields) => logger.warn(fields ?? {}, event),
    error: (event, fields) => logger.error(fields ?? {}, event),
    child: (fields) => wrap(logger.child(fields)),
  };
}
