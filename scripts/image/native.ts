import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Libraries that have had nothing of their own since glibc 2.34 (2021): all that Drover's native parts use of them is in libc itself. A base
 * that holds Node and what Node needs has no such files, and a library that merely names one does not load there.
 */
const MERGED_INTO_LIBC = ["librt.so.1", "libresolv.so.2"];
const LIBC = "libc.so.6";

/**
 * Lets every native library below the folder ask for libc where it asks for a part that libc has taken in: the name in its string table,
 * which is as long or longer, is written over and padded. Returns the files that it changed.
 */
export function nameLibcAlone(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.node$|\.so(\.[\d.]+)?$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => {
      const bytes = readFileSync(file);
      const changed = MERGED_INTO_LIBC.filter((name) => rename(bytes, name)).length > 0;
      if (changed) writeFileSync(file, bytes);
      return changed;
    });
}

/** Writes over every whole string that is this name. */
function rename(bytes: Buffer, name: string): boolean {
  const before = Buffer.from(`\0${name}\0`, "latin1");
  const after = Buffer.from(`\0${LIBC.padEnd(name.length, "\0")}\0`, "latin1");
  let changed = false;
  for (let at = bytes.indexOf(before); at >= 0; at = bytes.indexOf(before, at + 1)) {
    after.copy(bytes, at);
    changed = true;
  }
  return changed;
}
