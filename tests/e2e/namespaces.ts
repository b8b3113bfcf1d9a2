import { execFile, execFileSync, spawnSync } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Whether this machine lets us make network namespaces. */
export function namespacesAllowed(): boolean {
  const name = `drover-probe-${process.pid}`;
  if (spawnSync("ip", ["netns", "add", name], { stdio: "ignore" }).status !== 0) return false;
  execFileSync("ip", ["netns", "delete", name]);
  return true;
}

/** Two hosts as the kernel sees them: network namespaces joined by a veth pair, each with an address and its own loopback. */
export class TwoHosts implements AsyncDisposable {
  readonly names: readonly [string, string];
  readonly addresses = ["10.213.7.1", "10.213.7.2"] as const;

  private constructor(names: readonly [string, string]) {
    this.names = names;
  }

  static async create(): Promise<TwoHosts> {
    const hosts = new TwoHosts([`drover-a-${process.pid}`, `drover-b-${process.pid}`]);
    try {
      const [a, b] = hosts.names;
      for (const name of hosts.names) await run("ip", ["netns", "add", name]);
      // Made inside of the namespaces: nothing of it ever exists on the machine's own network.
      await run("ip", ["-n", a, "link", "add", "veth0", "type", "veth", "peer", "name", "veth0", "netns", b]);
      for (const [i, name] of hosts.names.entries()) {
        await run("ip", ["-n", name, "address", "add", `${hosts.addresses[i]}/24`, "dev", "veth0"]);
        for (const device of ["lo", "veth0"]) await run("ip", ["-n", name, "link", "set", device, "up"]);
      }
    } catch (error) {
      await hosts[Symbol.asyncDispose]();
      throw error;
    }
    return hosts;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of this.names) await run("ip", ["netns", "delete", name]).catch(() => undefined);
  }
}
