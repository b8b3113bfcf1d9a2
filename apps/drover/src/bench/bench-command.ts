import { existsSync } from "node:fs";
import { open, readFile, rm, writeFile } from "node:fs/promises";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { DroverError, systemClock } from "@drover/core";
import { commandConfig } from "@drover/process";
import { ChatClient } from "../chat/chat-client.ts";
import { pictureUrl } from "../chat/picture.ts";
import { endSignals, interruptedStatus } from "../end-signals.ts";
import { writeFault } from "../made-folders.ts";
import { takeOperand } from "../operand.ts";
import { say } from "../report.ts";
import { readApiKey } from "../up/api-key.ts";
import { BENCH_USAGE, type BenchConfig, benchSpec } from "./bench-config.ts";
import type { BodySettings } from "./load-body.ts";
import { loadLevels } from "./load-level.ts";
import { type LoadReport, reportJson, reportText } from "./load-report.ts";
import { LoadTarget } from "./load-target.ts";
import { type BenchSubject, measureLevels } from "./measure-levels.ts";
import { recordedLoad } from "./recorded-load.ts";
import { reportPage } from "./report-page.ts";
import { serviceLevel } from "./service-level.ts";
import { tokenLength } from "./token-length.ts";

const URL_DEFAULT = "http://127.0.0.1:8080";
const BOOLEANS = ["--json", "--no-json", "--ignore-eos", "--no-ignore-eos"];
const NANOSECONDS_A_MILLISECOND = 1e6;

/**
 * `drover bench serve [URL]`: measures servers and prints a table. Errors: `invalid_argument` naming the flag; `unavailable`, or what a server says,
 * where the first request to it fails.
 */
export async function runBench(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  const [what, ...rest] = argv;
  const isHelp = argv.includes("--help") || argv.includes("-h") || argv.includes("--version");
  if (what !== "serve" && !isHelp)
    throw new DroverError("invalid_argument", "bench measures servers: drover bench serve [URL] [flags].");
  const { operand, flags } = takeOperand(what === "serve" ? rest : argv, BOOLEANS);
  const config = commandConfig(benchSpec, { argv: flags, env, command: "drover bench", usage: BENCH_USAGE });
  if (config.html !== undefined) await checkWritable(config.html);
  const ended = endSignals();
  const subject = await benchSubject(config, operand ?? URL_DEFAULT, ended);
  try {
    const pauses = monitorEventLoopDelay({ resolution: 10 });
    pauses.enable();
    const measured = await measureLevels(subject, systemClock, ended, say);
    const { model, seed, targets, goal } = subject;
    const servers = targets.map(({ name, url }) => ({ name, url }));
    const clientPauseMs = pauses.max / NANOSECONDS_A_MILLISECOND;
    const report = { model, seed, servers, goal, measured, clientPauseMs, stopped: ended.aborted };
    await show(report, config);
    const isWhole = measured.every(({ rounds }) => rounds.every(({ failed }) => failed === 0));
    return interruptedStatus(ended) ?? (isWhole ? 0 : 1);
  } finally {
    for (const target of subject.targets) target[Symbol.dispose]();
  }
}

/** A table that took minutes is not lost to a page that cannot be written. */
async function show(report: LoadReport, { json, html }: BenchConfig): Promise<void> {
  process.stdout.write(json ? reportJson(report) : reportText(report));
  if (html !== undefined) await writeFile(html, reportPage(report)).catch(notWritten(html));
}

/** Leaves nothing behind. Errors: `invalid_argument` for a page that could not be written in the end. */
async function checkWritable(html: string): Promise<void> {
  const wasThere = existsSync(html);
  await open(html, "a").then((file) => file.close(), notWritten(html));
  if (!wasThere) await rm(html, { force: true });
}

const notWritten = (html: string) => (cause: unknown) => {
  throw new DroverError("invalid_argument", `--html: ${html} cannot be written: ${writeFault(cause)}`, {
    cause,
    field: "html",
  });
};

async function benchSubject(config: BenchConfig, url: string, signal: AbortSignal): Promise<BenchSubject> {
  const goal = serviceLevel(config.goodput);
  const levels = loadLevels(config);
  const lengths = {
    input: tokenLength(config.inputTokens, "input-tokens"),
    output: tokenLength(config.outputTokens, "output-tokens"),
  };
  const body = await bodySettings(config);
  const trace = config.trace === undefined ? undefined : await recordedLoad(config.trace, config.requests);
  const apiKey = config.apiKeyFile === undefined ? undefined : readApiKey(config.apiKeyFile);
  const servers = [{ name: "this", url }, ...config.against.map(namedServer)];
  for (const server of servers) if (!/^https?:\/\/./.test(server.url)) throw notAServer(server.url);
  const model = config.model ?? (await new ChatClient({ url, apiKey }).modelName(signal));
  const targets = servers.map((server) => new LoadTarget({ ...server, apiKey, timeoutMs: config.timeout }));
  const seed = config.seed ?? Date.now() >>> 0;
  return { config, goal, levels, ...lengths, body, trace, model, targets, seed };
}

async function bodySettings(config: BenchConfig): Promise<BodySettings> {
  const { api, ignoreEos, temperature, schema } = config;
  if (api === "completions" && config.image.length > 0)
    throw new DroverError("invalid_argument", "--image needs --api chat", { field: "image" });
  const pictures = await Promise.all(config.image.map(pictureUrl));
  return { api, ignoreEos, temperature, pictures, schema: schema === undefined ? undefined : await readSchema(schema) };
}

async function readSchema(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    throw new DroverError("invalid_argument", `--schema: ${path} cannot be read as JSON`, { cause, field: "schema" });
  }
}

function namedServer(entry: string): { name: string; url: string } {
  const at = entry.indexOf("=");
  if (at < 1) throw notAServer(entry);
  return { name: entry.slice(0, at), url: entry.slice(at + 1) };
}

const notAServer = (text: string): DroverError =>
  new DroverError("invalid_argument", `${text} is no server: URL, or --against NAME=URL, with http or https`, {
    field: "against",
  });
