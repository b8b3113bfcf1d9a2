import { access, mkdir, writeFile } from "node:fs/promises";
import { DroverError } from "@drover/core";
import { certificateFilesIn, commandConfig, defineConfig } from "@drover/process";
import { makeCertificates } from "@drover/rpc";
import { say } from "../report.ts";

const USAGE = `Usage: drover certificates --out DIR [flags]

Makes a certificate with its key and its authority, for --cluster-tls: all processes of a cluster share them. The authority's own key is
not kept, so that nobody can make another. What is there already stays as it is.`;

const certificatesSpec = defineConfig({
  out: { kind: "string", valueName: "DIR", required: true, help: "A folder for tls.crt, tls.key and ca.crt." },
  names: {
    kind: "list",
    default: ["drover.internal"],
    valueName: "NAME[,...]",
    help: "Whom it names: processes know each other by the DNS names, a router's clients by its host or address.",
  },
  days: { kind: "integer", default: 3650, min: 1, max: 36_500, help: "How long it is good for." },
});

const DAY_MS = 86_400_000;

/** `drover certificates`: resolves with the exit status. Errors: `invalid_argument`; `unavailable` where nothing can be written. */
export async function runCertificates(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  const { out, names, days } = commandConfig(certificatesSpec, {
    argv,
    env,
    command: "drover certificates",
    usage: USAGE,
  });
  const files = certificateFilesIn(out);
  if (await isThere(files.certificate)) {
    say(`${files.certificate} is there already`);
    return 0;
  }
  const { certificate, key, ca = "" } = makeCertificates({ names, nowMs: Date.now(), validMs: days * DAY_MS });
  try {
    await mkdir(out, { recursive: true, mode: 0o700 });
    await writeFile(files.key, key, { mode: 0o600, flag: "wx" });
    await writeFile(files.ca, ca, { flag: "wx" });
    await writeFile(files.certificate, certificate, { flag: "wx" });
  } catch (cause) {
    throw new DroverError("unavailable", `--out: ${out} cannot be written: ${(cause as Error).message}`, { cause });
  }
  say(`${files.certificate}, its key and its authority are made`);
  return 0;
}

const isThere = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );
