import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { PATIENCE_MS } from "@drover/testkit";
import { REPOSITORY } from "../tools.ts";
import { containerRun } from "./container.ts";
import { REDIS_IMAGE, readDockerfile } from "./image.ts";
import { hostsFile } from "./names.ts";
import { NodeHost } from "./node.ts";
import { type Container, type KubernetesObject, readObjects } from "./objects.ts";
import { PodNetwork, podAddress } from "./pod-network.ts";
import { PodProcess } from "./pod-process.ts";
import { podRoot } from "./pod-root.ts";
import { type Pod, podsOf } from "./pods.ts";
import { ProbedContainer } from "./probes.ts";
import { readSockets, type Sockets } from "./sockets.ts";

const POLL_MS = 100;
const IMAGE_USER = 10001;

/**
 * The pods of rendered objects as processes of this machine, each as its manifest says: command, arguments and environment, user, mounts and
 * read-only root, address, names, ports and probes. Drover's are those of the image that deploy/Dockerfile makes.
 */
export class RenderedCluster implements AsyncDisposable {
  readonly pods: readonly Pod[];
  readonly node: NodeHost;
  readonly #parts: AsyncDisposableStack;
  readonly #ending = new AbortController();
  readonly #containers: readonly ProbedContainer[];
  readonly #watching: Promise<void>;
  #failure: unknown;

  private constructor(
    pods: readonly Pod[],
    node: NodeHost,
    containers: readonly ProbedContainer[],
    parts: AsyncDisposableStack,
  ) {
    this.pods = pods;
    this.node = node;
    this.#parts = parts;
    this.#containers = containers;
    const watching = containers.map((one) => one.watch(this.#ending.signal));
    this.#watching = Promise.all(watching).then(
      () => undefined,
      (error: unknown) => {
        this.#failure ??= error;
      },
    );
  }

  /**
   * Starts all pods at once: none waits for another. `app`: the image's folder, from `assembleImage`; `secrets`: what users make themselves.
   * Throws an Error where a manifest asks for what is not there.
   */
  static async start(
    rendered: string,
    app: string,
    secrets: readonly KubernetesObject[] = [],
  ): Promise<RenderedCluster> {
    await using parts = new AsyncDisposableStack();
    const objects = [...readObjects(rendered), ...secrets];
    const pods = podsOf(objects, podAddress);
    const hosts = hostsFile(objects, pods);
    const scratch = mkdtempSync(join(tmpdir(), "drover-pods-"));
    parts.defer(() => rmSync(scratch, { recursive: true }));
    const image = readDockerfile(join(REPOSITORY, "deploy/Dockerfile"));
    const network = parts.use(await PodNetwork.create(pods.map(({ address }) => address)));
    const node = parts.use(new NodeHost(network.node));
    const containers = pods.flatMap((pod, index) =>
      pod.spec.containers.map((container) => {
        const { root, mounts } = podRoot(pod, container, { folder: join(scratch, pod.name), app, hosts, objects });
        const facts = isDrover(container) ? image : REDIS_IMAGE;
        const { runAsUser = IMAGE_USER, runAsGroup = runAsUser } = pod.spec.securityContext ?? {};
        const started = new PodProcess({
          name: pod.name,
          namespace: network.pod(index),
          root,
          mounts,
          run: containerRun(pod, container, facts, objects),
          user: runAsUser,
          group: runAsGroup,
          readOnlyRoot: container.securityContext?.readOnlyRootFilesystem ?? false,
        });
        return new ProbedContainer(pod, container, parts.use(started), node);
      }),
    );
    return new RenderedCluster(pods, node, containers, parts.move());
  }

  /** Resolves once every pod is ready. Throws an Error with the outputs where one fails its probes or the time is over. */
  async ready(timeoutMs: number): Promise<void> {
    const limit = Date.now() + timeoutMs;
    for (;;) {
      this.check();
      const waiting = this.#containers.filter((one) => !one.isReady);
      if (waiting.length === 0) return;
      if (Date.now() > limit) throw new Error(`not ready:\n${waiting.map(({ process }) => process.output).join("\n")}`);
      await sleep(POLL_MS);
    }
  }

  /** Throws the Error of a pod that a kubelet would have started again since the start. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** The one pod of a component, or the first of several. */
  pod(component: string): Pod {
    const pod = this.pods.find((one) => one.component === component);
    if (pod === undefined)
      throw new Error(`no pod of ${component} among ${this.pods.map(({ component }) => component)}`);
    return pod;
  }

  /** Runs a command in a pod, as `kubectl exec` does. Resolves with whether it ended with 0 in time. */
  async exec({ name }: Pod, command: readonly string[]): Promise<boolean> {
    const container = this.#containers.find(({ pod }) => pod.name === name);
    if (container === undefined) throw new Error(`no container of ${name}`);
    return container.process.exec(command, PATIENCE_MS);
  }

  /** TCP as each pod's network sees it at this moment. */
  sockets(): readonly Readonly<{ pod: Pod; sockets: Sockets }>[] {
    return this.#containers.map(({ pod, process }) => ({ pod, sockets: readSockets(process.pid) }));
  }

  get output(): string {
    return this.#containers.map(({ process }) => process.output).join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await this.#watching;
    await this.#parts.disposeAsync();
  }
}

function isDrover({ image }: Container): boolean {
  return /(^|\/)drover:/.test(image);
}
