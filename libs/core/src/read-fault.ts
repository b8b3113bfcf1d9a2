const REASONS: ReadonlyMap<string, string> = new Map([
  ["EACCES", "this user may not read it; chmod a+r gives the right, and chmod a+x that to its folders"],
  ["EPERM", "this user may not read it"],
  ["ENOENT", "it is not there"],
  ["EISDIR", "it is a folder, and no file"],
  ["ENOTDIR", "a part of the path is a file, and no folder"],
  ["ELOOP", "its links lead in a circle"],
  ["ENAMETOOLONG", "the name is too long"],
  ["EMFILE", "this process has too many open files; raise ulimit -n"],
  ["ENFILE", "the system has too many open files"],
  ["EIO", "its disk reports an error"],
]);

/** Why a file or a folder could not be read, as the end of a sentence, from what the file system says. */
export function readFault(cause: unknown): string {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
  return REASONS.get(code) ?? code;
}

/** Why what is there is no file: it is never opened, since a pipe would be waited for and a device read for ever. */
export const NO_FILE = "it is no file";
