import type { LogFields, Logger } from "@drover/core";

export type LogLine = Readonly<{
  level: "debug" | "info" | "warn" | "error";
  event: string;
  /** The line's own fields over its logger's. */
  fields: LogFields;
}>;

/** Keeps what is logged. Children write to the same lines. */
export class RecordingLogger implements Logger {
  readonly lines: LogLine[];
  readonly #fields: LogFields;

  constructor(fields: LogFields = {}, lines: LogLine[] = []) {
    this.#fields = fields;
    this.lines = lines;
  }

  /** The events in order, of one level or of all. */
  events(level?: LogLine["level"]): string[] {
    return this.lines.filter((line) => level === undefined || line.level === level).map(({ event }) => event);
  }

  debug(event: string, fields?: LogFields): void {
    this.#write("debug", event, fields);
  }

  info(event: string, fields?: LogFields): void {
    this.#write("info", event, fields);
  }

  warn(event: string, fields?: LogFields): void {
    this.#write("warn", event, fields);
  }

  error(event: string, fields?: LogFields): void {
    this.#write("error", event, fields);
  }

  child(fields: LogFields): RecordingLogger {
    return new RecordingLogger({ ...this.#fields, ...fields }, this.lines);
  }

  #write(level: LogLine["level"], event: string, fields: LogFields = {}): void {
    this.lines.push({ level, event, fields: { ...this.#fields, ...fields } });
  }
}
