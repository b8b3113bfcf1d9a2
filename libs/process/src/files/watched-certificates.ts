import { join } from "node:path";
import { DroverError, type Logger } from "@drover/core";
import type { Certificates, CertificateTexts } from "@drover/rpc";
import { watchFileTexts } from "./watched-file.ts";

/** Where a process's certificate lies, in PEM. */
export type CertificateFiles = Readonly<{ certificate: string; key: string; ca?: string | undefined }>;

/** The files of a folder, as a Kubernetes Secret of the type kubernetes.io/tls has them. */
export const certificateFilesIn = (folder: string): CertificateFiles & Readonly<{ ca: string }> => ({
  certificate: join(folder, "tls.crt"),
  key: join(folder, "tls.key"),
  ca: join(folder, "ca.crt"),
});

type WatchedCertificates = Disposable & Readonly<{ certificates: Certificates }>;

/**
 * Reads a certificate with its key, and its peers' authority where a file is named for it, and keeps up with the files until it is disposed: by their
 * content, so that what is written anew without a change is none. New ones that cannot be used change nothing, and are logged once
 * (`file.refused`). Errors: `invalid_argument` for first ones that cannot be read or used.
 */
export async function watchCertificates(
  { certificate, key, ca }: CertificateFiles,
  options: Readonly<{ setting: string; logger: Logger; pollMs?: number }>,
): Promise<WatchedCertificates> {
  // Loaded here: commands that dial nobody share this library.
  const rpc = await import("@drover/rpc");
  let certificates: Certificates | undefined;
  const use = ([certificateText = "", keyText = "", caText]: readonly string[]) => {
    const texts: CertificateTexts = { certificate: certificateText, key: keyText, ca: caText };
    try {
      if (certificates === undefined) certificates = new rpc.Certificates(texts);
      else certificates.replace(texts);
    } catch (error) {
      if (!(error instanceof DroverError)) throw error;
      throw new DroverError("invalid_argument", `--${options.setting}: ${certificate}: ${error.message}`, {
        cause: error,
      });
    }
  };
  const paths = [certificate, key, ...(ca === undefined ? [] : [ca])];
  const watch = await watchFileTexts(paths, { ...options, use });
  if (certificates === undefined) throw new DroverError("internal", "watched files are used before they are watched");
  return { certificates, [Symbol.dispose]: () => watch[Symbol.dispose]() };
}
