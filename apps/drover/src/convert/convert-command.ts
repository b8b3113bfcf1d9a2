import { resolve } from "node:path";
import { checkModel, convertCheckpoint, type Quantization, quantizationOf } from "@drover/checkpoint";
import { assert, DroverError, readFault, systemClock, toDroverError } from "@drover/core";
import { matrixPacker } from "@drover/onnx";
import { commandConfig } from "@drover/process";
import { endSignals, interruptedStatus } from "../end-signals.ts";
import { isFileFault, removeEmptyFolders, writeFault } from "../made-folders.ts";
import { checkTextFiles } from "../model-files.ts";
import { takeOperand } from "../operand.ts";
import { say } from "../report.ts";
import { CONVERT_USAGE, convertSpec } from "./convert-config.ts";
import { ProgressView } from "./convert-progress.ts";
import { prepareOutFolder } from "./out-folder.ts";

/**
 * `drover convert CHECKPOINT --quantize int4 --out DIR`: 0 when the folder is complete, 130 when Ctrl-C has ended it before.
 * Errors: `invalid_argument` naming the flag, or file and tensor; `unavailable` for a disk that takes no more.
 */
export async function runConvert(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  const { operand, flags } = takeOperand(argv);
  const config = commandConfig(convertSpec, { argv: flags, env, command: "drover convert", usage: CONVERT_USAGE });
  if (operand === undefined) {
    throw new DroverError(
      "invalid_argument",
      "convert needs a checkpoint's folder: drover convert CHECKPOINT [flags].",
    );
  }
  const quantization = quantizationOf(config.quantize, config.quantizeBlock);
  assert(quantization !== null, "--quantize is required");
  const out = resolve(config.out);
  const made = await prepareOutFolder(out);
  try {
    return await convertTo(out, resolve(operand), quantization);
  } finally {
    // A conversion that was refused has put nothing there.
    await removeEmptyFolders(made);
  }
}

async function convertTo(out: string, source: string, quantization: Quantization): Promise<number> {
  await checkModel(source);
  // Weights can be converted without them, and hours later is too late to hear of it.
  const unread = await checkTextFiles(source).then(
    () => undefined,
    (error: unknown) => toDroverError(error).message,
  );
  if (unread !== undefined) say(`the tokenizer or chat template will keep the result from being served: ${unread}`);
  const ended = endSignals();
  const view = new ProgressView(process.stderr, () => systemClock.now());
  try {
    const outcome = await convertCheckpoint({
      source,
      out,
      quantization,
      packer: await matrixPacker(quantization),
      onProgress: (progress) => view.show(progress),
      signal: ended,
    });
    view.end();
    if (unread !== undefined) say(`it cannot be served before this is mended in ${out}: ${unread}`);
    say(outcome === "converted" ? `${out} is complete` : `${out} is complete already`);
    return 0;
  } catch (error) {
    view.end();
    if (isFileFault(error)) throw notDone(out, error);
    const status = interruptedStatus(ended);
    if (status === undefined) throw error;
    say("stopped; the same command goes on from here");
    return status;
  }
}

function notDone(out: string, cause: NodeJS.ErrnoException): DroverError {
  const { path = out } = cause;
  const what = path.startsWith(out)
    ? `--out: ${path} cannot be written: ${writeFault(cause)}`
    : `${path} cannot be read: ${readFault(cause)}`;
  const sentence = `${what}. The same command goes on from there once that is mended.`;
  return new DroverError("unavailable", sentence, { cause });
}
