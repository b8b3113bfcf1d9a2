import { DroverError, type Logger } from "@drover/core";
import type { Certificates, ClusterSecret } from "@drover/rpc";
import { certificateFilesIn, watchCertificates } from "./files/watched-certificates.ts";
import { watchFileText } from "./files/watched-file.ts";
import type { Config } from "./flags/flag.ts";
import type { MEMBER_FLAGS } from "./flags/member-flags.ts";

/** A process that is a member until this is disposed, and why others are none. */
type EnteredCluster = Disposable &
  Readonly<{
    /** Why who gives this proof for what it asks, `GET /path?query`, is no member; undefined where it is. */
    refusal: (proof: string | undefined, asked: string) => string | undefined;
  }>;

/**
 * Makes this process a member of its cluster, before it dials or listens, and keeps up with the files of the secret and of the certificates until it
 * is disposed. Errors: `invalid_argument` for a file that cannot be used.
 */
export async function enterCluster(
  { clusterSecretFile, clusterTls, membersOnly }: Config<typeof MEMBER_FLAGS>,
  logger: Logger,
): Promise<EnteredCluster> {
  const resources = new DisposableStack();
  const leave = () => resources.dispose();
  if (clusterSecretFile === undefined && clusterTls === undefined)
    return { refusal: () => undefined, [Symbol.dispose]: leave };
  // Loaded here: commands that dial nobody share this library.
  const { joinCluster, proofRefusal } = await import("@drover/rpc");
  let secret: ClusterSecret | undefined;
  let certificates: Certificates | undefined;
  if (clusterSecretFile !== undefined) {
    const watched = resources.use(await watchSecret(clusterSecretFile, logger));
    secret = watched.secret;
  }
  if (clusterTls !== undefined) {
    const files = certificateFilesIn(clusterTls);
    const watched = resources.use(await watchCertificates(files, { setting: "cluster-tls", logger }));
    certificates = watched.certificates;
  }
  const membership = { ...(secret && { secret }), ...(certificates && { certificates }), asksNobody: !membersOnly };
  joinCluster(membership);
  return { refusal: (proof, asked) => proofRefusal(proof, asked, membership), [Symbol.dispose]: leave };
}

async function watchSecret(file: string, logger: Logger): Promise<Disposable & Readonly<{ secret: ClusterSecret }>> {
  const { ClusterSecret, secretsOf } = await import("@drover/rpc");
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
  if (secret === undefined) throw new DroverError("internal", "a watched file is used before it is watched");
  return { secret, [Symbol.dispose]: () => watch[Symbol.dispose]() };
}
