import { createHash, timingSafeEqual } from "node:crypto";
import { readFile } from "node:fs/promises";
import { DroverError } from "@drover/core";

/** The keys that may use the API. Without any, everybody may. */
export class ApiKeys {
  readonly #digests: readonly Buffer[];

  constructor(keys: readonly string[]) {
    this.#digests = keys.map(digest);
  }

  /** One key a line; empty lines and lines that begin with # are skipped. Errors: `invalid_argument` when the file has no key. */
  static async load(path: string | undefined): Promise<ApiKeys> {
    if (path === undefined || path === "") return new ApiKeys([]);
    const text = await readFile(path, "utf8").catch((cause: unknown) => {
      throw new DroverError("invalid_argument", `cannot read the API keys in ${path}`, { cause });
    });
    const keys = text.split("\n").map((line) => line.trim());
    const used = keys.filter((key) => key !== "" && !key.startsWith("#"));
    if (used.length === 0) throw new DroverError("invalid_argument", `${path} holds no API key`);
    return new ApiKeys(used);
  }

  /** Checks `Authorization: Bearer KEY`. Errors: `unauthenticated`. */
  check(authorization: string | undefined): void {
    if (this.#digests.length === 0) return;
    const key = /^Bearer +(\S+)\s*$/i.exec(authorization ?? "")?.[1];
    if (key === undefined)
      throw new DroverError("unauthenticated", "an API key is required: Authorization: Bearer KEY");
    const given = digest(key);
    // Every key is compared, so that the time taken tells nothing.
    let known = false;
    for (const wanted of this.#digests) known = timingSafeEqual(wanted, given) || known;
    if (!known) throw new DroverError("unauthenticated", "the API key is not known");
  }
}

function digest(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}
