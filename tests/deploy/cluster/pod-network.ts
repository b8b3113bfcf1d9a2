import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);
const PREFIX = "10.213.9";
const FIRST_POD = 10;

/** The node's address: where probes and clients come from. */
export const NODE_ADDRESS = `${PREFIX}.1`;

export const podAddress = (index: number): string => `${PREFIX}.${FIRST_POD + index}`;

/**
 * A network namespace for each pod, with an address and a loopback of its own, joined by a bridge in the node's namespace. So every process
 * listens where its arguments say, and several may have one port. Nothing of it is ever on the machine's own network.
 */
export class PodNetwork implements AsyncDisposable {
  readonly node = `drover-node-${process.pid}`;
  readonly #names: string[] = [];

  private constructor() {}

  static async create(addresses: readonly string[]): Promise<PodNetwork> {
    const network = new PodNetwork();
    try {
      await network.#addNamespace(network.node);
      await ip(network.node, "link", "add", "bridge", "type", "bridge");
      await ip(network.node, "address", "add", `${NODE_ADDRESS}/24`, "dev", "bridge");
      await ip(network.node, "link", "set", "bridge", "up");
      for (const [index, address] of addresses.entries()) await network.#addPod(index, address);
    } catch (error) {
      await network[Symbol.asyncDispose]();
      throw error;
    }
    return network;
  }

  /** The namespace of the pod with this place among the addresses. */
  pod(index: number): string {
    return `drover-pod-${process.pid}-${index}`;
  }

  async #addPod(index: number, address: string): Promise<void> {
    const [name, end] = [this.pod(index), `pod${index}`];
    await this.#addNamespace(name);
    await ip(name, "link", "add", "eth0", "type", "veth", "peer", "name", end, "netns", this.node);
    await ip(name, "address", "add", `${address}/24`, "dev", "eth0");
    await ip(name, "link", "set", "eth0", "up");
    await ip(this.node, "link", "set", end, "master", "bridge", "up");
  }

  async #addNamespace(name: string): Promise<void> {
    await run("ip", ["netns", "add", name]);
    this.#names.push(name);
    await ip(name, "link", "set", "lo", "up");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of this.#names) await run("ip", ["netns", "delete", name]).catch(() => undefined);
  }
}

async function ip(namespace: string, ...args: readonly string[]): Promise<void> {
  await run("ip", ["-n", namespace, ...args]);
}
