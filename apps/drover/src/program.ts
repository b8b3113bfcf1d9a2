import { fileURLToPath, pathToFileURL } from "node:url";
import { DroverError } from "@drover/core";
import { helpText, likest, USAGE_EXIT_STATUS, VERSION } from "@drover/process";
import { runCertificates } from "./certificates/certificates-command.ts";
import { runChat } from "./chat/chat-command.ts";
import { runDrain } from "./drain/drain-command.ts";
import { Interrupted } from "./end-signals.ts";
import { runKeys } from "./keys/keys-command.ts";
import { UNREAD_MS_MAX } from "./limits.ts";
import { writeFault } from "./made-folders.ts";
import { OutputFailures } from "./output-failures.ts";
import { runPlan } from "./plan/plan-command.ts";
import { runSecret } from "./secret/secret-command.ts";
import { runTop } from "./top/top-command.ts";
import { runUp } from "./up/up-command.ts";
import { UP_USAGE, upSpec } from "./up/up-config.ts";
import { USAGE } from "./usage.ts";

const fileAt = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

const MAINS = {
  router: fileAt("../../router/src/main.ts"),
  scheduler: fileAt("../../scheduler/src/main.ts"),
  worker: fileAt("../../worker/src/main.ts"),
};
const DEFAULT_MODEL = fileAt("../../../models/nano");

const [command, ...argv] = process.argv.slice(2);

const COMMANDS = [
  "up",
  "chat",
  "top",
  "bench",
  "drain",
  "doctor",
  "plan",
  "convert",
  "tokenize",
  "secret",
  "certificates",
  "keys",
  "router",
  "scheduler",
  "worker",
];

/** Returns the exit status, or undefined when a process's own main has taken over. */
async function run(): Promise<number | undefined> {
  if (command === "version" || process.argv.slice(2).includes("--version")) return show(`drover ${VERSION}\n`);
  switch (command) {
    case "up":
      if (argv.includes("--help") || argv.includes("-h")) return show(helpText(upSpec, UP_USAGE));
      return runUp({ argv, env: process.env, mains: MAINS, defaultModel: DEFAULT_MODEL });
    case "chat":
      return runChat(argv, process.env);
    case "top":
      return runTop(argv, process.env);
    case "bench":
      return (await import("./bench/bench-command.ts")).runBench(argv, process.env);
    case "drain":
      return runDrain(argv, process.env);
    case "doctor":
      return (await import("./doctor/doctor-command.ts")).runDoctor(argv, process.env);
    case "plan":
      return runPlan(argv, process.env);
    case "convert":
      // Loaded at need, as is tokenize: they bring native libraries into this process.
      return (await import("./convert/convert-command.ts")).runConvert(argv, process.env);
    case "tokenize":
      return (await import("./tokenize/tokenize-command.ts")).runTokenize(argv, process.env);
    case "keys":
      return runKeys(argv, process.env);
    case "secret":
      return runSecret(argv, process.env);
    case "certificates":
      return runCertificates(argv, process.env);
    case "router":
    case "scheduler":
    case "worker":
      process.argv = [process.execPath, MAINS[command], ...argv];
      await import(pathToFileURL(MAINS[command]).href);
      return undefined;
    case "--help":
    case "-h":
    case "help":
      return show(USAGE);
    default:
      process.stderr.write(command === undefined ? USAGE : `drover: ${noCommand(command)}\n\n${USAGE}`);
      return USAGE_EXIT_STATUS;
  }
}

function noCommand(word: string): string {
  const meant = likest(word, COMMANDS);
  return `${JSON.stringify(word)} is no command${meant === undefined ? "." : `; did you mean ${meant}?`}`;
}

function show(text: string): number {
  process.stdout.write(text);
  return 0;
}

/** Commands that only show what comes: without a reader they would go on for nothing. */
const SHOWING = ["chat", "top"];
const failures = new OutputFailures([process.stdout, process.stderr], () => {
  if (command !== undefined && SHOWING.includes(command)) process.exit(0);
});

/**
 * Ends the process once its reader has what was written: a pipe takes 64 KiB at a time. One that reads nothing is not waited for long, and one
 * that has gone changes nothing about how the command ended; a file that takes no more, as on a full disk, does.
 */
async function end(status: number): Promise<never> {
  const written = [process.stdout, process.stderr].map(
    (stream) => new Promise<unknown>((done) => stream.once("error", done).write("", done)),
  );
  await Promise.race([Promise.all(written), new Promise((done) => setTimeout(done, UNREAD_MS_MAX))]);
  const failure = failures.of(process.stdout);
  if (failure === undefined || failure.code === "EPIPE" || status !== 0) process.exit(status);
  process.stderr.write(`drover: The output cannot be written: ${writeFault(failure)}.\n`);
  process.exit(1);
}

try {
  const status = await run();
  if (status !== undefined) await end(status);
} catch (error) {
  // A fault is said in a sentence; a bug crashes with its stack.
  if (!(error instanceof DroverError)) throw error;
  if (error instanceof Interrupted) await end(error.status);
  process.stderr.write(`drover: ${error.message}\n`);
  await end(error.code === "invalid_argument" ? USAGE_EXIT_STATUS : 1);
}
