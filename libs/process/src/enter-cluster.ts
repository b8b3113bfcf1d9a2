import { DroverError, type Logger } from "@drover/core";
import type { ClusterSecret } from "@drover/rpc";
import { watchFileText } from "./files/watched-file.ts";
import type { Config } from "./flags/flag.ts";
import type { MEMBER_FLAGS } from "./flags/member-flags.ts";

/**
 * Makes this process a member of its cluster, before it dials or listens, and keeps up with the secret's file until it is disposed. Errors:
 * `invalid_argument` for a file that cannot be used.
 */
export async function enterCluster(
  { clusterSecretFile: file, membersOnly }: Config<typeof MEMBER_FLAGS>,
  logger: Logger,
): Promise<Disposable> {
  if (file === undefined) return { [Symbol.dispose]: () => undefined };
  // Loaded here: commands that dial nobody share this library.
  const { ClusterSecret, joinCluster, secretsOf } = await import("@drover/rpc");
  const setting = "cluster-secret-file";
  let secret: ClusterSecret | undefined;
  const use = (text: string) => {
    try {
      if (secret === undefined) secret = ClusterSecret.read(text);
      else secret.replace(secretsOf(text));
    } catch (error) {
      if (!(error instanceof DroverError)) throw error;
      throw new DroverError("invalid_argument", `--${setting}: ${file}: ${error.message}`, { cause: error });
    }
  };
  const watch = await watchFileText(file, { setting, use, logger });
  joinCluster({ ...(secret && { secret }), asksNobody: !membersOnly });
  return watch;
}
