import type { LogFields, Logger } from "@drover/core";
import { type DestinationStream, type Logger as Pino, pino, stdTimeFunctions } from "pino";
import { StandardError } from "./standard-error.ts";

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

/**
 * A logger that writes one JSON object a line to standard error: `level`, `time`, `process`, `pid`, `event` and the fields.
 * Lines are written at once, so that what a process said before it was killed is not lost; of those that a full disk did not take, `log.lost` tells how many
 * there were.
 */
export function createLogger(options: LoggerOptions): Logger {
  const onRegained = (lineCount: number) => logger.warn("log.lost", { lineCount });
  const output = options.destination ?? new StandardError({ onRegained });
  const logger = wrap(
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
  return logger;
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
