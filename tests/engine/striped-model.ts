import { setImmediate } from "node:timers/promises";
import { loadModelConfig, type ModelConfig } from "@drover/checkpoint";
import { silentLogger, systemClock } from "@drover/core";
import { type KvGeometry, kvGeometry } from "@drover/kv";
import { ContextStore } from "@drover/onnx";
import { ContextStreamHolder, contextService, createServer, type KeptSegments, listen } from "@drover/rpc";
import { tinyModel } from "@drover/testkit";

/** A tiny model, and context workers that keep its old rows, each on a port of its own. What was opened ends with it. */
export class StripedModel implements AsyncDisposable {
  readonly path: string;
  readonly geometry: KvGeometry;
  /** Of a whole segment's rows. */
  readonly segmentBytes: number;
  readonly #config: ModelConfig;
  readonly #held: AsyncDisposableStack;

  private constructor(path: string, config: ModelConfig, held: AsyncDisposableStack) {
    this.path = path;
    this.#config = config;
    this.geometry = kvGeometry(config, "f32");
    this.segmentBytes = this.geometry.segmentRows * this.geometry.rowBytes;
    this.#held = held;
  }

  static async open(): Promise<StripedModel> {
    const held = new AsyncDisposableStack();
    const { path } = held.use(await tinyModel(7));
    return new StripedModel(path, await loadModelConfig(path), held);
  }

  /** A context worker's service; `kept` is what it keeps of prompts that are over. */
  async serve(bytesMax: number, kept?: KeptSegments) {
    const store = this.#held.use(new ContextStore(this.#config, this.geometry, { threads: 1, bytesMax }));
    const server = createServer();
    server.addService(...contextService(store, { attended: () => undefined }, undefined, kept));
    const address = `127.0.0.1:${await listen(server, "127.0.0.1:0")}`;
    this.#held.defer(() => server.forceShutdown());
    return { store, server, address };
  }

  /** An attention worker's stream to a context worker, once it stands. */
  async call(name: string, address: string): Promise<ContextStreamHolder> {
    const holder = this.#held.use(new ContextStreamHolder(name, address, systemClock, silentLogger));
    while (!holder.connected) await setImmediate();
    return holder;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#held.disposeAsync();
  }
}
