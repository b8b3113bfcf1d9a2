import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "@drover/core";
import { type CertificateTexts, makeCertificates } from "@drover/rpc";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { certificateFilesIn, watchCertificates } from "./watched-certificates.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "drover-certificates-"));
});
afterEach(() => rm(folder, { recursive: true }));

const make = () => makeCertificates({ names: ["drover.internal"], nowMs: Date.now(), validMs: 86_400_000 });

/** A Secret's folder: the files are links into one that is changed at once. */
async function put(texts: CertificateTexts, version: string): Promise<void> {
  await mkdir(join(folder, version));
  const names = { "tls.crt": texts.certificate, "tls.key": texts.key, "ca.crt": texts.ca ?? "" };
  for (const [name, text] of Object.entries(names)) {
    await writeFile(join(folder, version, name), text);
    await symlink(join("data", name), join(folder, name)).catch(() => undefined);
  }
  await symlink(version, join(folder, "next"));
  await rename(join(folder, "next"), join(folder, "data"));
}

function listening() {
  const said: string[] = [];
  const logger = {
    ...silentLogger,
    info: (event: string) => void said.push(event),
    error: (event: string, fields?: object) => void said.push(`${event}: ${JSON.stringify(fields)}`),
  };
  return { said, options: { setting: "cluster-tls", logger, pollMs: 10 } };
}

it("certificates that a Secret's new version brings are used, and wrong ones change nothing and are told of by what is wrong", async () => {
  const [first, second] = [make(), make()];
  await put(first, "1");
  const { said, options } = listening();
  using watched = await watchCertificates(certificateFilesIn(folder), options);
  const changes = vi.fn();
  using _listening = watched.certificates.onChange(changes);
  expect(watched.certificates.texts.certificate).toBe(first.certificate);
  await put({ ...second, key: first.key }, "2");
  await expect.poll(() => said).toEqual([expect.stringMatching(/^file.refused: .*key is not the certificate's/)]);
  expect(watched.certificates.texts.certificate).toBe(first.certificate);
  await put(second, "3");
  await expect.poll(() => watched.certificates.texts.certificate).toBe(second.certificate);
  expect(changes).toHaveBeenCalledTimes(1);
  expect(said.join()).not.toContain("PRIVATE");
});

it("files that are written anew with what they had are no change", async () => {
  const texts = make();
  await put(texts, "1");
  const { said, options } = listening();
  using watched = await watchCertificates(certificateFilesIn(folder), options);
  await put(texts, "2");
  // Seen after the one above, in the same files.
  const next = make();
  await put(next, "3");
  await expect.poll(() => watched.certificates.texts.certificate).toBe(next.certificate);
  expect(said).toEqual(["file.reloaded"]);
});

it("a first certificate that is away or wrong is an error that names its setting and its file", async () => {
  const { options } = listening();
  await expect(watchCertificates(certificateFilesIn(folder), options)).rejects.toMatchObject({
    code: "invalid_argument",
    message: expect.stringMatching(/^--cluster-tls: .*tls.crt cannot be read/),
  });
  await put({ ...make(), ca: "" }, "1");
  await expect(watchCertificates(certificateFilesIn(folder), options)).rejects.toMatchObject({
    message: expect.stringMatching(/^--cluster-tls: .*tls.crt: the authority's file has no certificate/),
  });
});
