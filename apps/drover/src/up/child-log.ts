type LogLine = Readonly<{ level: string; event: string } & Record<string, unknown>>;

const SHOWN_LEVELS = ["warn", "error"];
const HIDDEN_FIELDS = ["level", "time", "process", "pid", "event"];

/** What a reader of the terminal sees of a line that a child logged: warnings, errors and what is no log line at all; undefined for the rest. */
export function readableLine(name: string, line: string): string | undefined {
  const parsed = parseLine(line);
  if (parsed === undefined) return `${name}: ${line}`;
  if (!SHOWN_LEVELS.includes(parsed.level)) return undefined;
  const fields = Object.entries(parsed)
    .filter(([field]) => !HIDDEN_FIELDS.includes(field))
    .map(([field, value]) => `${field}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  return [`${name}: ${parsed.level}`, parsed.event, ...fields].join(" ");
}

function parseLine(line: string): LogLine | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    const value = JSON.parse(line);
    return typeof value.level === "string" && typeof value.event === "string" ? value : undefined;
  } catch {
    // A text that only begins like JSON.
    return undefined;
  }
}
