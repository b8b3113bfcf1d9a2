import { randomBytes } from "node:crypto";
import { DroverError, MEMBER_HEADER, neverAborted } from "@drover/core";
import { commandConfig, defineConfig, readSmallFile } from "@drover/process";
import { writeFault, writeNewFiles } from "../made-folders.ts";
import { say } from "../report.ts";
import { inClusterApi, makeKubernetesSecret } from "./kubernetes-secret.ts";

const USAGE = `Usage: drover secret [flags]

Makes a secret that nobody can guess, such as a cluster's for --cluster-secret-file. Printed, unless a flag says where it is kept; what is
there already stays as it is.`;

const secretSpec = defineConfig({
  out: { kind: "string", valueName: "FILE", help: "A new file, which only this user can read." },
  prove: {
    kind: "string",
    valueName: "ASKED",
    help: "Print the header by which an admin port answers: of 'GET /debug/worker', for two minutes.",
  },
  clusterSecretFile: { kind: "string", valueName: "FILE", help: "The secret that --prove shows to have." },
  kubernetes: {
    kind: "string",
    form: "name",
    valueName: "NAME",
    help: "A Secret beside this pod, with the keys of --entries; the pod's service account must be allowed to create it.",
  },
  entries: {
    kind: "list",
    default: ["cluster-secret", "operator-key"],
    valueName: "KEY[,...]",
    help: "What the Secret of --kubernetes has, each with a value of its own.",
  },
});

const SECRET_BYTES = 32;

/** 256 bits as text. */
const newSecret = (): string => randomBytes(SECRET_BYTES).toString("base64url");

/** `drover secret`: resolves with the exit status. Errors: `invalid_argument`, `unavailable` where it cannot be kept. */
export async function runSecret(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  print: (text: string) => void = (text) => process.stdout.write(text),
): Promise<number> {
  const config = commandConfig(secretSpec, { argv, env, command: "drover secret", usage: USAGE });
  const { out, kubernetes, entries } = config;
  if (config.prove !== undefined) {
    print(`${await proofHeader(config.prove, config.clusterSecretFile)}\n`);
    return 0;
  }
  if (out !== undefined && kubernetes !== undefined)
    throw new DroverError("invalid_argument", "--out and --kubernetes: name one place, or none.");
  if (out !== undefined) say((await writeNew(out)) ? `${out} is made` : `${out} is there already`);
  else if (kubernetes !== undefined) {
    const values = Object.fromEntries(entries.map((entry) => [entry, newSecret()]));
    const made = await makeKubernetesSecret(await inClusterApi(env), kubernetes, values, neverAborted);
    say(`the Secret ${kubernetes} is ${made ? "made" : "there already"}`);
  } else print(`${newSecret()}\n`);
  return 0;
}

/** `drover-member: PROOF`, as curl takes it. Errors: `invalid_argument` without a secret that can be used. */
async function proofHeader(asked: string, file: string | undefined): Promise<string> {
  if (file === undefined)
    throw new DroverError("invalid_argument", "--prove: name the secret by --cluster-secret-file.");
  const text = await readSmallFile(file, "cluster-secret-file");
  const { ClusterSecret } = await import("@drover/rpc");
  return `${MEMBER_HEADER}: ${ClusterSecret.read(text).prove(asked)}`;
}

/** False where the file is there already. */
async function writeNew(file: string): Promise<boolean> {
  try {
    await writeNewFiles([{ path: file, text: `${newSecret()}\n`, mode: 0o600 }]);
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw new DroverError("unavailable", `--out: ${file} cannot be written: ${writeFault(cause)}.`, { cause });
  }
}
