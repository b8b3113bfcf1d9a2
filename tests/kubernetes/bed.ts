import { existsSync } from "node:fs";
import { cp, mkdir, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { run } from "./command.ts";
import { SLOW_COMMAND_MS_MAX } from "./limits.ts";

/** Where the bed's programs and its scripts are. */
export type BedPlace = Readonly<{ folder: string; scripts: string }>;

/** `node`: a real kubelet in namespaces of its own. `fake`: made-up nodes, no containers. */
export type BedMode = "node" | "fake";

/** A Kubernetes that runs as long as this object does. */
export class Bed implements AsyncDisposable {
  readonly #place: BedPlace;
  readonly #mode: BedMode;
  readonly #signal: AbortSignal;

  private constructor(place: BedPlace, mode: BedMode, signal: AbortSignal) {
    this.#place = place;
    this.#mode = mode;
    this.#signal = signal;
  }

  /** Throws when one is up already: it is somebody else's. */
  static async start(place: BedPlace, mode: BedMode, signal: AbortSignal): Promise<Bed> {
    if (existsSync(join(place.folder, "run", "pids"))) throw new Error(`a bed is up in ${place.folder} already`);
    const bed = new Bed(place, mode, signal);
    try {
      await bed.script("up.sh", [mode]);
    } catch (error) {
      await bed[Symbol.asyncDispose]();
      throw error;
    }
    return bed;
  }

  /** One of the bed's own scripts. */
  script(name: string, args: readonly string[]): Promise<string> {
    return run(join(this.#place.scripts, name), args, this.#options(SLOW_COMMAND_MS_MAX));
  }

  kubectl(...args: string[]): Promise<string> {
    return this.inside("kubectl", args);
  }

  helm(...args: string[]): Promise<string> {
    return this.inside("helm", args, SLOW_COMMAND_MS_MAX);
  }

  /** A command where the cluster's addresses can be reached. */
  inside(command: string, args: readonly string[], timeoutMs?: number): Promise<string> {
    const options = this.#options(timeoutMs);
    if (this.#mode === "fake") return run(command, args, options);
    return run(join(this.#place.scripts, "in.sh"), [command, ...args], options);
  }

  /** What helps to find out why something failed, as files in a folder. */
  async keepLogs(folder: string): Promise<void> {
    await mkdir(folder, { recursive: true });
    const keep = async (file: string, ...args: string[]) => {
      const text = await this.kubectl(...args).catch((error: Error) => error.message);
      await writeFile(join(folder, file), text);
      return text;
    };
    await keep("objects.txt", "get", "all,events", "--all-namespaces", "-o", "wide");
    await keep("pods.yaml", "get", "pods", "--all-namespaces", "-o", "yaml");
    const names = await this.kubectl(
      "get",
      "pods",
      "-A",
      "-o",
      "jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name} {end}",
    ).catch(() => "");
    for (const name of names.trim().split(" ").filter(Boolean)) {
      const [namespace = "", pod = ""] = name.split("/");
      await keep(`${namespace}-${pod}.log`, "logs", "-n", namespace, pod, "--all-containers", "--tail=2000");
      await keep(`${namespace}-${pod}.previous.log`, "logs", "-n", namespace, pod, "--previous", "--tail=2000");
    }
    await cp(join(this.#place.folder, "run", "log"), join(folder, "bed"), { recursive: true }).catch(() => undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Not by the signal, which may be what ends this.
    const options = { ...this.#options(SLOW_COMMAND_MS_MAX), signal: new AbortController().signal };
    await run(join(this.#place.scripts, "down.sh"), [], options);
  }

  #options(timeoutMs: number | undefined) {
    const { folder } = this.#place;
    const env = {
      ...process.env,
      BED: folder,
      KUBECONFIG: join(folder, "run", "admin.kubeconfig"),
      PATH: [join(folder, "bin"), process.env.PATH].join(delimiter),
    };
    return { signal: this.#signal, env, ...(timeoutMs === undefined ? {} : { timeoutMs }) };
  }
}
