import { X509Certificate } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { checkCertificates } from "../doctor/certificate-check.ts";
import { runCertificates } from "./certificates-command.ts";

const DAY_MS = 86_400_000;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "drover-certificates-"));
});
afterEach(() => rm(folder, { recursive: true }));

const read = (name: string) => readFile(join(folder, "tls", name), "utf8");
const make = (...flags: string[]) => runCertificates(["--out", join(folder, "tls"), ...flags], {});

it("certificates are made once, the key for this user alone, for the names and days that were asked", async () => {
  expect(await make("--names", "a.example,10.0.0.1", "--days", "10")).toBe(0);
  const certificate = new X509Certificate(await read("tls.crt"));
  expect(certificate.checkHost("a.example")).toBe("a.example");
  expect(certificate.verify(new X509Certificate(await read("ca.crt")).publicKey)).toBe(true);
  expect((await stat(join(folder, "tls", "tls.key"))).mode & 0o777).toBe(0o600);
  const before = await read("tls.crt");
  expect(await make("--days", "20")).toBe(0);
  expect(await read("tls.crt")).toBe(before);
});

it.skipIf(!existsSync("/proc/self"))(
  "where no folder can be made, the flag is named with the reason, at once",
  async () => {
    const refused = { message: expect.stringMatching(/^--out: nothing can be written to .*: /) };
    await expect(runCertificates(["--out", "/proc/x/y"], {})).rejects.toMatchObject(refused);
    await writeFile(join(folder, "file"), "");
    await expect(runCertificates(["--out", join(folder, "file")], {})).rejects.toMatchObject(refused);
  },
);

it("doctor finds what is made in order, warns before its time is over and fails after it, and says what is wrong with it", async () => {
  await make("--names", "a.example", "--days", "100");
  const tls = join(folder, "tls");
  const look = async (atMs: number, url?: string) =>
    (await checkCertificates({ clusterTls: tls, tlsCertificateFile: join(tls, "tls.crt"), url }, atMs)).map(
      ({ check, state }) => `${check} ${state}`,
    );
  const nowMs = Date.now();
  expect(await look(nowMs, "https://a.example:8080")).toEqual([
    "usable ok",
    "certificate ok",
    "authority ok",
    "certificate ok",
    "names ok",
  ]);
  expect(await look(nowMs + 90 * DAY_MS)).toEqual([
    "usable ok",
    "certificate warn",
    "authority warn",
    "certificate warn",
  ]);
  expect(await look(nowMs + 101 * DAY_MS)).toContain("certificate fail");
  expect(await look(nowMs, "https://127.0.0.1:8080")).toContain("names fail");
  await rm(join(tls, "tls.key"));
  const found = await checkCertificates({ clusterTls: tls, tlsCertificateFile: undefined, url: undefined }, nowMs);
  expect(found).toMatchObject([{ state: "fail", found: expect.stringContaining("tls.key cannot be read") }]);
});
