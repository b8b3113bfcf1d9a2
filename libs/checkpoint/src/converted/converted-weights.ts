import { realpath } from "node:fs/promises";
import { join } from "node:path";
import { assert, DroverError } from "@drover/core";
import type { MappedLinear } from "@drover/llama4";
import type { ModelConfig } from "../config/model-config.ts";
import type { Checkpoint } from "../files/checkpoint.ts";
import type { Embedding } from "../tensors/embedding.ts";
import { TextWeights } from "../tensors/text-weights.ts";
import { hashHere, type RangeHasher, verifyFile } from "./file-hash.ts";
import type { FileRecord } from "./file-record.ts";
import type { UnitLayout } from "./layout.ts";
import { MANIFEST, type Manifest } from "./manifest.ts";
import { mappedLinear } from "./mapped-linear.ts";
import { headUnits, layoutOf, modelUnits, type UnitId, unitFile } from "./units.ts";

export type MappedMlp = Readonly<{ gateUp: MappedLinear; down: MappedLinear }>;

/**
 * The weights of a converted checkpoint. Linears stay in their files; each file is hashed before any of it is used, and only the files of what is asked for are
 * read. Errors: `invalid_argument` naming the file, where it is not what the manifest says.
 */
export class ConvertedWeights {
  readonly #directory: string;
  readonly #config: ModelConfig;
  readonly #manifest: Manifest;
  readonly #kept: TextWeights;
  readonly #records: ReadonlyMap<string, FileRecord>;
  readonly #usePrepared: boolean;
  readonly #signal: AbortSignal;
  readonly #hash: RangeHasher;
  /** Checked once: attention's file is asked for twice, those of norms many times. */
  readonly #checked = new Map<string, Promise<void>>();

  /**
   * `checkpoint` is the converted folder's. `packing` is how this process's kernels pack: where they do it otherwise than those that converted, weights
   * are packed again in memory. `hash`: where files are hashed. Errors: `invalid_argument` where the manifest lacks a file or has another model's.
   */
  constructor(
    checkpoint: Checkpoint,
    config: ModelConfig,
    manifest: Manifest,
    packing: string,
    signal: AbortSignal,
    hash: RangeHasher = hashHere,
  ) {
    this.#hash = hash;
    this.#directory = checkpoint.directory;
    this.#config = config;
    this.#manifest = manifest;
    this.#kept = new TextWeights(checkpoint, config);
    this.#records = new Map(manifest.files.map((record) => [record.file, record]));
    this.#usePrepared = packing === manifest.packing;
    this.#signal = signal;
    for (const unit of modelUnits(config, manifest.setting)) this.#recordOf(unit);
  }

  async vector(name: string): Promise<Float32Array> {
    await this.checkKept("text.safetensors");
    return this.#kept.vector(name);
  }

  async attention(layer: number): Promise<Readonly<{ norm: Float32Array; qkv: MappedLinear }>> {
    const norm = await this.vector(`model.layers.${layer}.input_layernorm.weight`);
    const [qkv] = await this.#pair({ kind: "attention", layer });
    return { norm, qkv };
  }

  async output(layer: number): Promise<MappedLinear> {
    const [, output] = await this.#pair({ kind: "attention", layer });
    return output;
  }

  async dense(layer: number): Promise<MappedMlp> {
    return this.#mlp({ kind: "dense", layer });
  }

  async shared(layer: number): Promise<MappedMlp> {
    return this.#mlp({ kind: "shared", layer });
  }

  async expert(layer: number, expert: number): Promise<MappedMlp> {
    return this.#mlp({ kind: "expert", layer, expert });
  }

  async gate(layer: number): Promise<Readonly<{ kind: "f32"; data: Float32Array }>> {
    await this.checkKept("text.safetensors");
    return { kind: "f32", data: await this.#kept.linear(`model.layers.${layer}.feed_forward.router`) };
  }

  async head(): Promise<MappedLinear | Readonly<{ kind: "f32"; data: Float32Array }>> {
    const linears: MappedLinear[] = [];
    for (const unit of headUnits(this.#config, this.#manifest.setting)) linears.push(...(await this.#unit(unit)));
    const [first] = linears;
    if (first !== undefined) return { ...first, parts: linears.flatMap(({ parts }) => parts) };
    await this.checkKept("embedding.safetensors");
    return { kind: "f32", data: await this.#kept.linear("lm_head") };
  }

  async embedding(): Promise<Embedding> {
    await this.checkKept("embedding.safetensors");
    return this.#kept.embedding();
  }

  async #mlp(id: UnitId): Promise<MappedMlp> {
    const [gateUp, down] = await this.#pair(id);
    return { gateUp, down };
  }

  async #pair(id: UnitId): Promise<readonly [MappedLinear, MappedLinear]> {
    const [first, second] = await this.#unit(id);
    assert(first !== undefined && second !== undefined, "attention and MLPs are two Linears each");
    return [first, second];
  }

  /** The Linears of a unit, once its file has been checked. */
  async #unit(id: UnitId): Promise<readonly MappedLinear[]> {
    const { record, layout } = this.#recordOf(id);
    const path = await realpath(join(this.#directory, record.file)).catch((cause) =>
      fail(`${record.file} is missing`, cause),
    );
    const verify = () => verifyFile(path, record, layout.preparedStart, this.#usePrepared, this.#signal, this.#hash);
    await (id.kind === "attention" ? this.#once(record.file, verify) : verify());
    return mappedLinear(path, layout, this.#usePrepared ? record.prepared : null);
  }

  /** Checks a file of what the conversion left as it was, once. */
  async checkKept(file: "text.safetensors" | "embedding.safetensors"): Promise<void> {
    const record = this.#records.get(file) ?? fail(`${MANIFEST} does not name ${file}`);
    await this.#once(file, () =>
      verifyFile(join(this.#directory, file), record, record.byteCount, false, this.#signal, this.#hash),
    );
  }

  async #once(file: string, verify: () => Promise<void>): Promise<void> {
    const known = this.#checked.get(file) ?? verify();
    this.#checked.set(file, known);
    await known;
  }

  #recordOf(id: UnitId): { record: FileRecord; layout: UnitLayout } {
    const file = unitFile(id);
    const record = this.#records.get(file) ?? fail(`${MANIFEST} does not name ${file}`);
    const layout = layoutOf(id, this.#config, this.#manifest.setting);
    if (record.byteCount !== layout.byteCount) {
      fail(`${MANIFEST} gives ${file} ${record.byteCount} bytes where config.json makes it ${layout.byteCount}`);
    }
    return { record, layout };
  }
}

function fail(what: string, cause?: unknown): never {
  throw new DroverError("invalid_argument", `${what}; convert the checkpoint again`, { cause });
}
