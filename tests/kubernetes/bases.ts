import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { BedPlace } from "./bed.ts";
import { run } from "./command.ts";
import { SLOW_COMMAND_MS_MAX } from "./limits.ts";

/**
 * Has the bed's scripts make the images that stand in for those of a registry: Node on its libraries, and Redis, neither with a shell. Kept
 * from run to run. Returns the version of that Node.
 */
export async function prepareBases({ folder, scripts }: BedPlace, signal: AbortSignal): Promise<string> {
  // The machine's own Node, which is older than the one that Drover is developed with.
  const path = (process.env.PATH ?? "").split(delimiter).filter((each) => !each.endsWith(join("node_modules", ".bin")));
  const env = { ...process.env, BED: folder, PATH: path.join(delimiter) };
  const options = { signal, env, timeoutMs: SLOW_COMMAND_MS_MAX };
  const images = (...args: string[]) => run(join(scripts, "images.sh"), args, options);
  const isMade = (name: string) => existsSync(join(folder, "images", `${name}_1.tar`));
  if (!isMade("node")) await images();
  if (!isMade("redis")) {
    // One a call: of several names, dash finds the first alone.
    const find = async (name: string) => (await run("sh", ["-c", `command -v ${name}`], options)).trim();
    const [server, client] = [await find("redis-server"), await find("redis-cli")];
    await images("--files", "redis", "/bin/redis-server", server, client);
  }
  const container = (await run("buildah", ["from", "localhost/node:1"], options)).trim();
  try {
    const version = await run("buildah", ["run", "--isolation", "chroot", container, "node", "--version"], options);
    return version.trim().replace(/^v/, "");
  } finally {
    await run("buildah", ["rm", container], options);
  }
}
