import { type FileHandle, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { DroverError, readFault } from "@drover/core";
import { type FileRecord, readFileRecord } from "./file-record.ts";
import { type ConversionId, FORMAT_VERSION, readConversionId, WORK_FOLDER } from "./manifest.ts";

const JOURNAL = "journal.jsonl";

/** What an earlier run has left of a journal. */
export type JournalText = Readonly<{
  /** Undefined where nothing was begun. */
  id: ConversionId | undefined;
  records: readonly FileRecord[];
  byteCount: number;
}>;

/**
 * Reads a folder's journal, where there is one. The last line may have been cut off, by a kill or a full disk: what it said is forgotten. Errors:
 * `invalid_argument` naming the journal.
 */
export async function readJournal(directory: string): Promise<JournalText> {
  const path = join(directory, WORK_FOLDER, JOURNAL);
  const text = await readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT") return "";
    throw new DroverError("invalid_argument", `${path} cannot be read: ${readFault(cause)}`, { cause });
  });
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  const [first, ...lines] = whole.split("\n").slice(0, -1);
  return {
    id: first === undefined ? undefined : readConversionId(parseLine(first, path), path),
    records: lines.map((line) => readFileRecord(parseLine(line, path), path)),
    byteCount: Buffer.byteLength(whole),
  };
}

/** What a conversion has finished, on disk: a line says what is converted, each further one that a file is complete. */
export class Journal implements AsyncDisposable {
  readonly done: ReadonlyMap<string, FileRecord>;
  readonly #done: Map<string, FileRecord>;
  readonly #file: FileHandle;

  private constructor(done: Map<string, FileRecord>, file: FileHandle) {
    this.done = done;
    this.#done = done;
    this.#file = file;
  }

  /** Goes on behind what was left, or begins a folder's journal with `id`. */
  static async open(directory: string, id: ConversionId, left: JournalText): Promise<Journal> {
    const file = await open(join(directory, WORK_FOLDER, JOURNAL), "a");
    await file.truncate(left.byteCount);
    const journal = new Journal(new Map(left.records.map((record) => [record.file, record])), file);
    if (left.id === undefined) await journal.#append({ version: FORMAT_VERSION, ...id });
    return journal;
  }

  /** Remembers, over any crash, that a file is complete. The file itself must be on disk before. */
  async record(record: FileRecord): Promise<void> {
    await this.#append(record);
    this.#done.set(record.file, record);
  }

  async #append(value: object): Promise<void> {
    await this.#file.appendFile(`${JSON.stringify(value)}\n`);
    await this.#file.sync();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}

function parseLine(line: string, path: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new DroverError("invalid_argument", `${path} was spoiled; remove the folder to begin again`, { cause });
  }
}
