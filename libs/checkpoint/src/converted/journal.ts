import { type FileHandle, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { DroverError } from "@drover/core";
import { type FileRecord, readFileRecord } from "./file-record.ts";
import { type ConversionId, FORMAT_VERSION, readConversionId, WORK_FOLDER } from "./manifest.ts";

const JOURNAL = "journal.jsonl";

/** What a conversion has finished, on disk: a line says what is converted, each further one that a file is complete. */
export class Journal implements AsyncDisposable {
  readonly id: ConversionId;
  readonly done: ReadonlyMap<string, FileRecord>;
  readonly #done: Map<string, FileRecord>;
  readonly #file: FileHandle;

  private constructor(id: ConversionId, done: Map<string, FileRecord>, file: FileHandle) {
    this.id = id;
    this.done = done;
    this.#done = done;
    this.#file = file;
  }

  /**
   * Opens a folder's journal, or begins it with `id`; what was begun under another id is the caller's to refuse. The last line may have been cut off by a
   * kill: what it said is forgotten. Errors: `invalid_argument` naming the journal.
   */
  static async open(directory: string, id: ConversionId): Promise<Journal> {
    const path = join(directory, WORK_FOLDER, JOURNAL);
    const text = await readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
      if (cause.code === "ENOENT") return "";
      throw new DroverError("invalid_argument", `${path} cannot be read`, { cause });
    });
    const whole = text.slice(0, text.lastIndexOf("\n") + 1);
    const [first, ...lines] = whole.split("\n").slice(0, -1);
    const found = first === undefined ? id : readConversionId(parseLine(first, path), path);
    const records = lines.map((line) => readFileRecord(parseLine(line, path), path));
    const file = await open(path, "a");
    await file.truncate(Buffer.byteLength(whole));
    const journal = new Journal(found, new Map(records.map((record) => [record.file, record])), file);
    if (first === undefined) await journal.#append({ version: FORMAT_VERSION, ...id });
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
