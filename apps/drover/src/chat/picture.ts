import { readFile, stat } from "node:fs/promises";
import { extname } from "node:path";
import { DroverError } from "@drover/core";
import { PICTURE_BYTES_MAX } from "../limits.ts";

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".jpeg": "image/jpeg",
  ".webp": "image/webp",
  ".gif": "image/gif",
};

/**
 * A picture as the API takes it: an http(s) or data URL as it is, a file as a data URL. What kind of picture a file holds is the server's to
 * find out. Errors: `invalid_argument` for a file that cannot be read or is too large.
 */
export async function pictureUrl(place: string): Promise<string> {
  if (/^(https?|data):/i.test(place)) return place;
  try {
    const found = await stat(place);
    // A pipe has no size to be refused by, and may never end.
    if (!found.isFile()) throw new DroverError("invalid_argument", `the picture ${place} is no file`);
    const { size } = found;
    if (size > PICTURE_BYTES_MAX)
      throw new DroverError("invalid_argument", `${place} has ${size} bytes; at most ${PICTURE_BYTES_MAX} are sent`);
    const type = MEDIA_TYPES[extname(place).toLowerCase()] ?? "application/octet-stream";
    return `data:${type};base64,${(await readFile(place)).toString("base64")}`;
  } catch (error) {
    if (error instanceof DroverError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new DroverError("invalid_argument", `the picture ${place} cannot be read: ${reason}`, { cause: error });
  }
}
