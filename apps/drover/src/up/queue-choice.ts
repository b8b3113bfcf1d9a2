import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { DroverError, parseSentinelUrl } from "@drover/core";

/** Which queue the cluster uses, and in words why. */
export type QueueChoice =
  | Readonly<{ kind: "external"; url: string; origin: "REDIS_URL" | "--queue" }>
  | Readonly<{ kind: "local"; program: string }>
  | Readonly<{ kind: "embedded"; because: string }>;

const SERVERS = ["redis-server", "valkey-server"];
const isRedisUrl = (text: string) => /^rediss?:\/\/\S+$/.test(text) || parseSentinelUrl(text) !== undefined;

/**
 * `auto`: REDIS_URL, else a server program found on the PATH, else embedded. `redis` insists on one of the first two, `embedded` on
 * the last, and a URL on itself. Errors: `invalid_argument`.
 */
export function chooseQueue(
  wish: string,
  env: Readonly<Record<string, string | undefined>>,
  findProgram: (name: string) => string | undefined = (name) => findOnPath(name, env.PATH ?? ""),
): QueueChoice {
  if (isRedisUrl(wish)) return { kind: "external", url: wish, origin: "--queue" };
  if (wish === "embedded") return { kind: "embedded", because: "--queue embedded" };
  if (wish !== "auto" && wish !== "redis") {
    throw new DroverError(
      "invalid_argument",
      // A URL is not repeated: it may hold a password.
      `--queue must be auto, embedded, redis, redis://HOST:PORT or redis+sentinel://HOST:PORT,HOST:PORT/NAME${wish.includes("/") ? "" : `, not ${JSON.stringify(wish)}`}.`,
    );
  }
  const url = env.REDIS_URL;
  if (url !== undefined && url !== "") {
    if (!isRedisUrl(url))
      throw new DroverError(
        "invalid_argument",
        "REDIS_URL is neither of the form redis://HOST:PORT nor redis+sentinel://HOST:PORT,HOST:PORT/NAME.",
      );
    return { kind: "external", url, origin: "REDIS_URL" };
  }
  for (const name of SERVERS) {
    const program = findProgram(name);
    if (program !== undefined) return { kind: "local", program };
  }
  if (wish === "redis") {
    throw new DroverError(
      "invalid_argument",
      `--queue redis needs REDIS_URL in the environment, or ${SERVERS.join(" or ")} on the PATH.`,
    );
  }
  return { kind: "embedded", because: `no REDIS_URL, and no ${SERVERS.join(" or ")} on the PATH` };
}

function findOnPath(name: string, path: string): string | undefined {
  return path
    .split(delimiter)
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, name))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        // Not here; the next folder may have it.
        return false;
      }
    });
}
