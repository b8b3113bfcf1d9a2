import { DroverError, silentLogger } from "@drover/core";
import { certificateFilesIn, readSmallFile, watchCertificates } from "@drover/process";
import type { UpConfig } from "./up-config.ts";

type NamedFiles = Pick<UpConfig, "clusterSecretFile" | "clusterTls" | "tlsCertificateFile" | "tlsKeyFile">;

/**
 * Reads the secret and the certificates that the processes of a cluster will read, as they do, so that none is started for those that cannot be used.
 * Errors: `invalid_argument`, a sentence with the flag.
 */
export async function checkFiles({
  clusterSecretFile,
  clusterTls,
  tlsCertificateFile: certificate,
  tlsKeyFile: key,
}: NamedFiles): Promise<void> {
  if ((certificate === undefined) !== (key === undefined))
    throw new DroverError("invalid_argument", "--tls-certificate-file and --tls-key-file: name both, or neither.");
  if (certificate !== undefined && key !== undefined)
    await checkCertificates({ certificate, key }, "tls-certificate-file");
  if (clusterTls !== undefined) await checkCertificates(certificateFilesIn(clusterTls), "cluster-tls");
  if (clusterSecretFile !== undefined) await checkSecret(clusterSecretFile);
}

async function checkCertificates(files: Parameters<typeof watchCertificates>[0], setting: string): Promise<void> {
  using _watched = await watchCertificates(files, { setting, logger: silentLogger });
}

async function checkSecret(file: string): Promise<void> {
  const setting = "cluster-secret-file";
  const text = await readSmallFile(file, setting);
  // Loaded at need: it brings gRPC into a process that dials nobody.
  const { secretsOf } = await import("@drover/rpc");
  try {
    secretsOf(text);
  } catch (cause) {
    if (!(cause instanceof DroverError)) throw cause;
    throw new DroverError("invalid_argument", `--${setting}: ${file}: ${cause.message}`, { cause });
  }
}
