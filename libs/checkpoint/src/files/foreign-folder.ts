import { readdir, readFile, stat } from "node:fs/promises";
import { basename, join, relative } from "node:path";
import { JSON_BYTES_MAX } from "../limits.ts";
import { quoted } from "./quoted.ts";
import { exists } from "./shard-index.ts";

/** How a checkpoint is fetched that can be served. */
const download = (name: string): string => `run hf download ${name} --local-dir ${basename(name)} and name that folder`;

const SAFETENSORS = "take the safetensors form of the model (hf download NAME --local-dir DIR)";

/** Files of weights that Drover does not read, by name. */
const FOREIGN_WEIGHTS: readonly (readonly [RegExp, string])[] = [
  [/\.gguf$/i, `GGUF, which llama.cpp reads; ${SAFETENSORS}`],
  [
    /^consolidated(\.\d+)?\.(pth|pt)$/,
    `Meta's own form of the weights; ${SAFETENSORS}, such as meta-llama/Llama-4-Scout-17B-16E-Instruct`,
  ],
  [/^consolidated.*\.safetensors$/, `another form of the weights; ${SAFETENSORS}`],
  [
    /^adapter_model\.(safetensors|bin)$/,
    "a LoRA adapter; merge it into its base (peft's merge_and_unload, then save_pretrained) and name that folder",
  ],
  [
    /^pytorch_model.*\.bin(\.index\.json)?$/,
    `PyTorch's pickled weights; ${SAFETENSORS}, or load and save it by transformers with safe_serialization`,
  ],
  [/^openvino_.*\.(xml|bin)$/, `OpenVINO's form of a model; ${SAFETENSORS}`],
  [/\.(bin|pth|pt|ckpt)$/, `pickled weights; ${SAFETENSORS}`],
  [/\.(nemo|distcp|engine|tflite|mlmodelc?|mlpackage)$/, `weights of another framework; ${SAFETENSORS}`],
  [/^Modelfile$/, `Ollama's recipe of a model; ${SAFETENSORS}`],
  [/\.npz$/, `MLX's weights; ${SAFETENSORS}`],
  [/\.(h5|msgpack|onnx)$/, `weights of another framework; ${SAFETENSORS}`],
];

/**
 * What a path without a config.json looks like, and what to do: a name on the Hugging Face hub, a file, a folder of another form, a cache, half a copy.
 * Continues a sentence about the path; undefined where nothing is known of it.
 */
export async function recognizeFolder(directory: string): Promise<string | undefined> {
  const facts = await stat(directory).catch(() => undefined);
  if (facts === undefined) return absentFolder(directory);
  if (!facts.isDirectory()) return recognizeFile(basename(directory));
  const names = await readdir(directory).then(
    (found) => found.sort(),
    () => undefined,
  );
  if (names === undefined) return "this user may not read the folder";
  if (names.length === 0) return "the folder is empty";
  const adapter = names.includes("adapter_config.json") ? await adapterBase(directory) : undefined;
  if (adapter !== undefined) return adapter;
  const foreign = foreignWeights(names);
  if (foreign !== undefined) return foreign;
  const snapshot = await snapshotIn(directory, names);
  if (snapshot !== undefined) return snapshot;
  if (names.some((name) => name.endsWith(".safetensors")))
    return "there are weights, but the config.json and tokenizer that belong to them were not copied";
  for (const name of names)
    if (await exists(join(directory, name, "config.json"))) return `name ${join(directory, name)}`;
  for (const name of names) {
    const below = foreignWeights((await readdir(join(directory, name)).catch(() => [])).sort());
    if (below !== undefined) return `in ${quoted(name)} ${below}`;
  }
  return undefined;
}

/** What a folder's weights are, where it has none that Drover reads; undefined where nothing is known of them. */
export async function recognizeWeights(directory: string): Promise<string | undefined> {
  const names = (await readdir(directory).catch(() => [])).sort();
  const foreign = foreignWeights(names);
  if (foreign !== undefined) return foreign;
  const shard = names.find((name) => name.endsWith(".safetensors"));
  if (shard !== undefined)
    return `there is ${quoted(shard)}, but no model.safetensors.index.json that says which tensor is where: copy it from where the weights came from`;
  return undefined;
}

function foreignWeights(names: readonly string[]): string | undefined {
  for (const [pattern, what] of FOREIGN_WEIGHTS) {
    const found = names.find((name) => pattern.test(name));
    if (found !== undefined) return `${quoted(found)} is ${what}`;
  }
  return undefined;
}

function recognizeFile(name: string): string {
  if (name.endsWith(".safetensors")) return "it is one file of a checkpoint: name its folder";
  const foreign = foreignWeights([name]);
  return foreign === undefined ? "it is a file, and a checkpoint is a folder" : foreign;
}

/** A path that is not there: as it was written, relative to where the command runs, it may be a name or an address on the hub. */
async function absentFolder(directory: string): Promise<string> {
  const written = relative(process.cwd(), directory);
  const [, address] = /^(?:hf:|https?:)\/(?:huggingface\.co\/|hf\.co\/)?([\w.-]+\/[\w.-]+)/.exec(written) ?? [];
  if (address !== undefined) return `Drover reads folders, not addresses: ${download(address)}`;
  const [, owner] = /^([\w-][\w.-]*)\/[\w.-]+$/.exec(written) ?? [];
  if (owner === undefined || (await exists(owner))) return "there is no such folder";
  return `there is no such folder; if it is a name on the Hugging Face hub, ${download(written)}`;
}

async function adapterBase(directory: string): Promise<string> {
  const text = await readFile(join(directory, "adapter_config.json"), "utf8").catch(() => "");
  const [, base] = /"base_model_name_or_path"\s*:\s*"([^"]{1,200})"/.exec(text.slice(0, JSON_BYTES_MAX)) ?? [];
  const of = base === undefined ? "its base" : `its base ${quoted(base)}`;
  return `it is a LoRA adapter; merge it into ${of} (peft's merge_and_unload, then save_pretrained) and name that folder`;
}

/** What to name of a folder of the hub's cache: a checkpoint is in `snapshots/REVISION` below `models--OWNER--NAME`. */
async function snapshotIn(directory: string, names: readonly string[]): Promise<string | undefined> {
  const model = names.includes("snapshots") ? "" : names.find((name) => name.startsWith("models--"));
  if (model === undefined) return undefined;
  const folder = join(directory, model, "snapshots");
  const [revision] = await readdir(folder).catch(() => []);
  if (revision !== undefined) return `it is a folder of the hub's cache: name ${join(folder, revision)}`;
  const [, owner, name] = /^models--(.+?)--(.+)$/.exec(basename(join(directory, model))) ?? [];
  return `it is a folder of the hub's cache whose download has not ended: ${download(name === undefined ? "NAME" : `${owner}/${name}`)}`;
}
