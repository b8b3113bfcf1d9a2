import { type Stats, unwatchFile, watchFile } from "node:fs";
import { DroverError, type Logger } from "@drover/core";
import { WATCHED_FILE_POLL_MS } from "../limits.ts";
import { readTogether } from "./read-together.ts";

export type WatchedFileOptions = Readonly<{
  /** The setting that names the file, `cluster-secret-file`: errors begin with it. */
  setting: string;
  /** What the file says is now in use. Errors: `invalid_argument`; what was in use before stays in use. */
  use: (text: string) => void;
  logger: Logger;
  pollMs?: number;
}>;

/** What is watched: the files' texts are used together, in their order. */
export type WatchedFilesOptions = Omit<WatchedFileOptions, "use"> &
  Readonly<{ use: (texts: readonly string[]) => void }>;

/**
 * Has a small file used, and used again whenever it has changed, until it is disposed: also where it is replaced by a link, as Kubernetes does with
 * a Secret. A later text that cannot be used is logged once (`file.refused`), with its name and never its content. Errors: `invalid_argument` for a
 * first text that cannot be read or used.
 */
export function watchFileText(path: string, { use, ...options }: WatchedFileOptions): Promise<Disposable> {
  return watchFileTexts([path], { ...options, use: ([text = ""]) => use(text) });
}

/** As `watchFileText`, of files that belong together: a change of one has all of them read again. */
export async function watchFileTexts(paths: readonly string[], options: WatchedFilesOptions): Promise<Disposable> {
  const { setting, use, logger, pollMs = WATCHED_FILE_POLL_MS } = options;
  const readAll = () => readTogether(paths, setting);
  let latest = await readAll();
  use(latest);
  let reading = Promise.resolve();
  const onChange = (now: Stats, before: Stats) => {
    if (now.mtimeMs === before.mtimeMs && now.ino === before.ino && now.size === before.size) return;
    reading = reading.then(async () => {
      try {
        const texts = await readAll();
        // One writing may be seen twice: as it begins and as it ends.
        if (texts.every((text, index) => text === latest[index])) return;
        latest = texts;
        use(texts);
        logger.info("file.reloaded", { setting });
      } catch (error) {
        if (!(error instanceof DroverError)) throw error;
        logger.error("file.refused", { setting, reason: error.message });
      }
    });
  };
  for (const path of paths) watchFile(path, { interval: pollMs, persistent: false }, onChange);
  return {
    [Symbol.dispose]: () => {
      for (const path of paths) unwatchFile(path, onChange);
    },
  };
}
