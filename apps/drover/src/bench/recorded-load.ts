import { createReadStream } from "node:fs";
import { DroverError } from "@drover/core";
import { byteLines } from "../chat/byte-lines.ts";
import { TRACE_LINE_BYTES_MAX } from "../limits.ts";

/** One request of a recorded load, in the form of Mooncake's traces: prompts with equal leading blocks share them. */
export type RecordedRequest = Readonly<{
  atMs: number;
  inputTokens: number;
  outputTokens: number;
  /** Names of the prompt's blocks, all equally long but for the last. */
  blocks: readonly number[];
}>;

/** The first `count` requests of a trace. Errors: `invalid_argument` naming the file, and the line that cannot be read. */
export async function recordedLoad(path: string, count: number): Promise<RecordedRequest[]> {
  const found: RecordedRequest[] = [];
  const file = createReadStream(path);
  try {
    for await (const line of byteLines(file, TRACE_LINE_BYTES_MAX)) {
      if (found.length === count) break;
      if ("text" in line && line.text.trim() === "") continue;
      found.push(readLine(path, found.length + 1, "text" in line ? line.text : ""));
    }
  } catch (error) {
    if (error instanceof DroverError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new DroverError("invalid_argument", `the trace cannot be read: ${reason}`, { cause: error, field: "trace" });
  } finally {
    file.destroy();
  }
  if (found.length === 0)
    throw new DroverError("invalid_argument", `the trace ${path} has no request`, { field: "trace" });
  return found;
}

function readLine(path: string, line: number, text: string): RecordedRequest {
  const wrong = (what: string) =>
    new DroverError("invalid_argument", `request ${line} of ${path} ${what}`, { field: "trace" });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new DroverError("invalid_argument", `request ${line} of ${path} is no JSON`, { cause, field: "trace" });
  }
  const {
    timestamp,
    input_length,
    output_length,
    hash_ids = [],
  } = { ...(value as object) } as Readonly<Record<string, unknown>>;
  for (const [name, number] of Object.entries({ timestamp, input_length, output_length }))
    if (typeof number !== "number" || !(number >= 0)) throw wrong(`has no number ${name}`);
  if (!Array.isArray(hash_ids) || hash_ids.some((id) => !Number.isInteger(id)))
    throw wrong("has hash_ids that are no numbers");
  return {
    atMs: Number(timestamp),
    inputTokens: Math.max(1, Number(input_length)),
    outputTokens: Math.max(1, Number(output_length)),
    blocks: hash_ids,
  };
}
