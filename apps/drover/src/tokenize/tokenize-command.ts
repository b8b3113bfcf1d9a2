import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { Writable } from "node:stream";
import { LocalPromptEncoder, loadChatTemplate } from "@drover/chat";
import { recognizeFolder } from "@drover/checkpoint";
import { DroverError, type ImageGrid, neverAborted } from "@drover/core";
import { commandConfig } from "@drover/process";
import { loadTokenizer } from "@drover/tokenizer";
import { byteLines } from "../chat/byte-lines.ts";
import { TOKENIZE_LINE_BYTES_MAX } from "../limits.ts";
import { writeFault } from "../made-folders.ts";
import { say } from "../report.ts";
import { TOKENIZE_USAGE, tokenizeSpec } from "./tokenize-config.ts";
import { TokenizeImages } from "./tokenize-images.ts";
import { readTokenizeLine } from "./tokenize-line.ts";

/**
 * `drover tokenize --model DIR`: 0 when every line of standard input was encoded, or when nobody reads the output any more; 1 when some could not
 * be. Errors: `invalid_argument` for a model that cannot be read.
 */
export async function runTokenize(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  const { model } = commandConfig(tokenizeSpec, { argv, env, command: "drover tokenize", usage: TOKENIZE_USAGE });
  const directory = resolve(model);
  if (!existsSync(directory))
    throw new DroverError("invalid_argument", `--model: ${directory}: ${await recognizeFolder(directory)}.`);
  return tokenizeLines(directory, process.stdin, process.stdout, say);
}

/** Encodes lines one after the other, in order; reads on only when the output takes more. `complain` gets a sentence for each bad line. */
export async function tokenizeLines(
  modelDirectory: string,
  input: AsyncIterable<Uint8Array>,
  output: Writable,
  complain: (sentence: string) => void,
): Promise<number> {
  const tokenizer = await loadTokenizer(modelDirectory);
  const template = await loadChatTemplate(modelDirectory, tokenizer);
  await using images = await TokenizeImages.open(modelDirectory);
  const encoder = new LocalPromptEncoder({ tokenizer, template, patchesPerTile: images.patchesPerTile });
  const encode = async (line: string): Promise<{ text: string; ids: Uint32Array }> => {
    const asked = readTokenizeLine(line);
    if (asked.kind === "text") return { text: asked.text, ids: tokenizer.encode(asked.text) };
    const grids: ImageGrid[] = [];
    for (const url of asked.imageUrls) grids.push(await images.grid(url, neverAborted));
    return encoder.renderChat(asked.input, grids);
  };
  using reader = watchReader(output);
  let lineNumber = 0;
  let badCount = 0;
  for await (const line of byteLines(input, TOKENIZE_LINE_BYTES_MAX)) {
    lineNumber += 1;
    let encoded: Awaited<ReturnType<typeof encode>>;
    try {
      if ("problem" in line) throw line.problem;
      if (line.text.trim() === "") continue;
      encoded = await encode(line.text);
    } catch (error) {
      if (!(error instanceof DroverError)) throw error;
      badCount += 1;
      complain(`line ${lineNumber}: ${error.message}`);
      continue;
    }
    const { text, ids } = encoded;
    if (!(await reader.write(`{"text": ${JSON.stringify(text)}, "ids": [${ids.join(", ")}]}\n`))) return 0;
  }
  return badCount === 0 ? 0 : 1;
}

/** Writes with respect for who reads: `write` waits for room, and is false once the reader has gone. Errors: `unavailable` for an output that takes no more, as a full disk. */
function watchReader(output: Writable): Disposable & { write(text: string): Promise<boolean> } {
  let failure: NodeJS.ErrnoException | undefined;
  const onError = (error: NodeJS.ErrnoException) => {
    failure = error;
  };
  output.on("error", onError);
  const isOpen = (): boolean => {
    if (failure === undefined || failure.code === "EPIPE") return failure === undefined;
    throw new DroverError("unavailable", `The output cannot be written: ${writeFault(failure)}.`, { cause: failure });
  };
  return {
    write: async (text) => {
      if (!isOpen()) return false;
      if (!output.write(text) && !output.destroyed) await roomIn(output);
      return isOpen() && !output.destroyed;
    },
    [Symbol.dispose]: () => {
      // The error of a last write may still come.
      if (failure === undefined) output.once("error", () => undefined);
      output.off("error", onError);
    },
  };
}

/** Resolves when the output takes more, or never will. */
function roomIn(output: Writable): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const names = ["drain", "error", "close"];
  for (const name of names) output.once(name, resolve);
  return promise.finally(() => {
    for (const name of names) output.off(name, resolve);
  });
}
