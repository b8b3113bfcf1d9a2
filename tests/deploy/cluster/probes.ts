import { setTimeout as sleep } from "node:timers/promises";
import { portNumber } from "./names.ts";
import type { NodeHost } from "./node.ts";
import type { Container, Probe } from "./objects.ts";
import type { PodProcess } from "./pod-process.ts";
import type { Pod } from "./pods.ts";

/** A machine that has ten times the work of its cores answers, and starts what it has to, that much later than a cluster's would. */
const SLOWNESS = 20;

/** What a kubelet would do with a container, from its probes alone. */
export class ProbedContainer {
  readonly pod: Pod;
  readonly process: PodProcess;
  readonly #container: Container;
  readonly #node: NodeHost;
  #isReady = false;

  constructor(pod: Pod, container: Container, process: PodProcess, node: NodeHost) {
    this.pod = pod;
    this.process = process;
    this.#container = container;
    this.#node = node;
  }

  /** Whether a Service would send to it now. */
  get isReady(): boolean {
    return this.#isReady && !this.process.hasEnded;
  }

  /**
   * Probes as the manifest says, and waits longer, until the signal: startup, then liveness and readiness. Throws an Error where a kubelet would start the
   * container again, since nothing here gives it a reason to.
   */
  async watch(signal: AbortSignal): Promise<void> {
    const { startupProbe, livenessProbe, readinessProbe } = this.#container;
    if (startupProbe === undefined || livenessProbe === undefined || readinessProbe === undefined)
      throw new Error(`${this.pod.name} lacks a startup, liveness or readiness probe`);
    if (!(await this.#until(true, startupProbe, signal))) throw this.#killed("it did not start");
    await Promise.all([
      this.#until(false, livenessProbe, signal).then((failed) => {
        if (failed) throw this.#killed("its liveness probe failed");
      }),
      this.#follow(readinessProbe, signal),
    ]);
  }

  /** Probes until one succeeds (wanted true), or until so many in a row fail as kill (wanted false). Whether that came to pass. */
  async #until(wanted: boolean, probe: Probe, signal: AbortSignal): Promise<boolean> {
    const { periodSeconds = 10, failureThreshold = 3 } = probe;
    for (let failureCount = 0; !signal.aborted; ) {
      if (this.process.hasEnded) throw this.#killed("it has ended");
      const succeeded = await this.#probe(probe);
      if (succeeded && wanted) return true;
      failureCount = succeeded ? 0 : failureCount + 1;
      if (failureCount >= SLOWNESS * failureThreshold && !signal.aborted) return !wanted;
      await sleep(periodSeconds * 1000, undefined, { signal }).catch(() => undefined);
    }
    return wanted;
  }

  async #follow(probe: Probe, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#isReady = await this.#probe(probe);
      await sleep((probe.periodSeconds ?? 10) * 1000, undefined, { signal }).catch(() => undefined);
    }
  }

  async #probe({ httpGet, exec, timeoutSeconds = 1 }: Probe): Promise<boolean> {
    const timeoutMs = SLOWNESS * timeoutSeconds * 1000;
    if (exec !== undefined) return this.process.exec(exec.command, timeoutMs);
    if (httpGet === undefined)
      throw new Error(`${this.pod.name} has a probe of a kind that this harness does not know`);
    const url = `http://${this.pod.address}:${portNumber(this.pod, httpGet.port)}${httpGet.path}`;
    const { status } = await this.#node.get(url, timeoutMs);
    return status >= 200 && status < 400;
  }

  #killed(why: string): Error {
    return new Error(`${this.pod.name}: ${why}\n${this.process.output}`);
  }
}
