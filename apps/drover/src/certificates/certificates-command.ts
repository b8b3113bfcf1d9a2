import { access } from "node:fs/promises";
import { DroverError, neverAborted } from "@drover/core";
import { certificateFilesIn, commandConfig, defineConfig } from "@drover/process";
import { type CertificateTexts, makeCertificates } from "@drover/rpc";
import { makeFolders, removeEmptyFolders, writeFault, writeNewFiles } from "../made-folders.ts";
import { say } from "../report.ts";
import { inClusterApi, makeKubernetesSecret } from "../secret/kubernetes-secret.ts";

const USAGE = `Usage: drover certificates --out DIR|--kubernetes NAME [flags]

Makes a certificate with its key and its authority, for --cluster-tls: all processes of a cluster share them. The authority's own key is
not kept, so that nobody can make another. What is there already stays as it is.`;

const certificatesSpec = defineConfig({
  out: { kind: "string", valueName: "DIR", help: "A folder for tls.crt, tls.key and ca.crt." },
  kubernetes: {
    kind: "string",
    form: "name",
    valueName: "NAME",
    help: "A Secret beside this pod, with the same; the pod's service account must be allowed to create it.",
  },
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
  const { out, kubernetes, names, days } = commandConfig(certificatesSpec, {
    argv,
    env,
    command: "drover certificates",
    usage: USAGE,
  });
  if ((out === undefined) === (kubernetes === undefined))
    throw new DroverError("invalid_argument", "--out and --kubernetes: name one place.");
  const make = () => makeCertificates({ names, nowMs: Date.now(), validMs: days * DAY_MS });
  if (out !== undefined) await writeNew(out, make);
  else if (kubernetes !== undefined) {
    const { certificate, key, ca = "" } = make();
    const values = { "tls.crt": certificate, "tls.key": key, "ca.crt": ca };
    const made = await makeKubernetesSecret(await inClusterApi(env), kubernetes, values, neverAborted);
    say(`the Secret ${kubernetes} is ${made ? "made" : "there already"}`);
  }
  return 0;
}

async function writeNew(out: string, make: () => CertificateTexts): Promise<void> {
  const files = certificateFilesIn(out);
  if (await isThere(files.certificate)) {
    say(`${files.certificate} is there already`);
    return;
  }
  const { certificate, key, ca = "" } = make();
  let made: readonly string[] = [];
  try {
    made = await makeFolders(out, 0o700);
    await writeNewFiles([
      { path: files.key, text: key, mode: 0o600 },
      { path: files.ca, text: ca },
      { path: files.certificate, text: certificate },
    ]);
  } catch (cause) {
    await removeEmptyFolders(made);
    throw new DroverError("unavailable", `--out: nothing can be written to ${out}: ${writeFault(cause)}.`, { cause });
  }
  say(`${files.certificate}, its key and its authority are made`);
}

const isThere = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );
