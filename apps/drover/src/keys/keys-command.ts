import { randomBytes } from "node:crypto";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { DroverError, readFault } from "@drover/core";
import { type Config, commandConfig } from "@drover/process";
import { formatKeys, keyDigest, parseKeys, type Tenant } from "@drover/tenants";
import { writeFault } from "../made-folders.ts";
import { say } from "../report.ts";
import { KEYS_USAGE, keysSpec } from "./keys-config.ts";

const VERBS = ["create", "list", "revoke"] as const;
type Verb = (typeof VERBS)[number];

/** `drover keys`: resolves with the exit status. Errors: `invalid_argument`. */
export async function runKeys(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  print: (text: string) => void = (text) => process.stdout.write(text),
): Promise<number> {
  const firstFlag = argv.findIndex((one) => one.startsWith("-"));
  const operands = argv.slice(0, firstFlag < 0 ? argv.length : firstFlag);
  const flags = argv.slice(operands.length);
  const config = commandConfig(keysSpec, { argv: flags, env, command: "drover keys", usage: KEYS_USAGE });
  const verb = VERBS.find((one) => one === operands[0]);
  const name = operands[1];
  if (verb === undefined || (verb !== "list" && name === undefined) || operands.length > (verb === "list" ? 1 : 2))
    throw new DroverError("invalid_argument", `say what to do.\n${KEYS_USAGE}`);
  return await perform(verb, name ?? "", config, print);
}

async function perform(
  verb: Verb,
  name: string,
  config: Config<typeof keysSpec>,
  print: (text: string) => void,
): Promise<number> {
  const text = await existing(config.file, verb === "create");
  const { tenants, ownDigests } = parseKeys(text);
  const found = tenants.find((tenant) => tenant.name === name);
  if (verb === "list") {
    for (const tenant of tenants) print(`${summary(tenant)}\n`);
    if (ownDigests.length > 0) print(`(own)  ${ownDigests.length} keys as they are, without limits\n`);
    return 0;
  }
  if (verb === "revoke") {
    if (found === undefined) throw new DroverError("invalid_argument", `${config.file} has no tenant ${name}.`);
    const kept = text.split("\n").filter((line) => !isLineOf(line, name));
    await replace(config.file, kept.join("\n"));
    say(`${name} is revoked; routers know within seconds`);
    return 0;
  }
  if (found !== undefined)
    throw new DroverError("invalid_argument", `${config.file} has the tenant ${name} already: revoke it first.`);
  const key = `sk-${randomBytes(32).toString("base64url")}`;
  const line = formatKeys(tenantOf(name, key, config));
  const separator = text === "" || text.endsWith("\n") ? "" : "\n";
  const next = `${text}${separator}${line}\n`;
  parseKeys(next);
  await replace(config.file, next);
  print(`${key}\n`);
  return 0;
}

function tenantOf(name: string, key: string, config: Config<typeof keysSpec>): Tenant {
  const { requestsPerMinute, tokensPerMinute, concurrentRequests, kvBytes, models, priority, weight, rights } = config;
  return {
    name,
    group: config.group ?? name,
    keyDigests: [keyDigest(key)],
    ...(requestsPerMinute !== undefined && { requestsPerMinute }),
    ...(tokensPerMinute !== undefined && { tokensPerMinute }),
    ...(concurrentRequests !== undefined && { concurrentRequests }),
    ...(kvBytes !== undefined && { kvBytes }),
    ...(models.length > 0 && { models }),
    priority,
    weight,
    rights,
  };
}

function summary({ keyDigests, ...tenant }: Tenant): string {
  const { name, ...limits } = tenant;
  return `${name}  ${keyDigests.length} keys  ${Object.entries(limits)
    .map(([limit, value]) => `${limit}=${JSON.stringify(value)}`)
    .join(" ")}`;
}

const isLineOf = (line: string, name: string): boolean =>
  line.trim().startsWith("{") && parseKeys(line).tenants.some((tenant) => tenant.name === name);

/** Empty for a file that is not there yet, where one `isMade`. */
async function existing(file: string, isMade: boolean): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT" && isMade) return "";
    throw new DroverError("invalid_argument", `--file: ${file} cannot be read: ${readFault(cause)}.`, { cause });
  }
}

/** Whole or not at all: a router may read it at any moment. */
async function replace(file: string, text: string): Promise<void> {
  const next = `${file}.new`;
  try {
    await writeFile(next, text, { mode: 0o600 });
    await rename(next, file);
  } catch (cause) {
    await rm(next, { force: true }).catch(() => undefined);
    throw new DroverError("invalid_argument", `--file: ${file} cannot be written: ${writeFault(cause)}.`, { cause });
  }
}
