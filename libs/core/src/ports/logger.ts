export type LogFields = Readonly<Record<string, string | number | boolean | undefined | null>>;

/** Structured logs: one event a line, `event` a constant `noun.verb`; ids always, prompt text and secrets never, nothing per token. */
export interface Logger {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  child(fields: LogFields): Logger;
}

/** Says nothing. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLogger,
};
