import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import type { ContainerRun } from "./container.ts";
import type { Mount } from "./pod-root.ts";

const OUTPUT_CHARACTERS_KEPT = 20_000;

// Mounts what it is told to inside of the mount namespace that `ip netns exec` makes, then becomes the container's process.
const ENTER = `
set -e
root=$1; fixed=$2; shift 2
mount --bind "$root" "$root"
while [ "$1" != -- ]; do
  mount --bind "$1" "$root$2"
  if [ "$3" = ro ]; then mount -o remount,bind,ro "$root$2"; fi
  shift 3
done
shift
if [ "$fixed" = ro ]; then mount -o remount,bind,ro "$root"; fi
exec chroot "$root" "$@"
`;

export type PodProcessOptions = Readonly<{
  name: string;
  namespace: string;
  root: string;
  mounts: readonly Mount[];
  run: ContainerRun;
  user: number;
  group: number;
  readOnlyRoot: boolean;
}>;

/** A container's process: in its pod's network, below its own root, as its user, without any right that Linux can take. */
export class PodProcess implements AsyncDisposable {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #options: PodProcessOptions;
  #output = "";

  constructor(options: PodProcessOptions) {
    const { name, namespace, root, mounts, readOnlyRoot } = options;
    this.name = name;
    this.#options = options;
    const bound = mounts.flatMap(({ from, to, readOnly }) => [from, to, readOnly ? "ro" : "rw"]);
    const enter = [
      "netns",
      "exec",
      namespace,
      "sh",
      "-c",
      ENTER,
      "sh",
      root,
      readOnlyRoot ? "ro" : "rw",
      ...bound,
      "--",
    ];
    this.#child = spawn("ip", [...enter, ...this.#command(options.run.argv)], { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on("data", (chunk) => {
        this.#output = (this.#output + String(chunk)).slice(-OUTPUT_CHARACTERS_KEPT);
      });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  get output(): string {
    return `${this.name}: ${this.#options.run.argv.join(" ")}\n${this.#output}`;
  }

  /** Runs a command inside of the container, as its probes are. Resolves with whether it ended with 0 in time. */
  exec(command: readonly string[], timeoutMs: number): Promise<boolean> {
    const enter = ["--target", String(this.pid), "--net", "--mount", "--root"];
    return new Promise((resolve) => {
      execFile("nsenter", [...enter, ...this.#command(command)], { timeout: timeoutMs }, (error) =>
        resolve(error === null),
      );
    });
  }

  #command(argv: readonly string[]): readonly string[] {
    const { run, user, group } = this.#options;
    const env = Object.entries(run.env).map(([name, value]) => `${name}=${value}`);
    const rights = ["--clear-groups", "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"];
    // Should this process be killed, its pods end with it.
    const as = ["/usr/bin/setpriv", "--pdeathsig=KILL", `--reuid=${user}`, `--regid=${group}`, ...rights];
    return [...as, "/usr/bin/env", "-i", `--chdir=${run.workingDirectory}`, ...env, ...argv];
  }

  /** Ends it at once: how a pod drains is for other tests. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.hasEnded) return;
    this.#child.kill("SIGKILL");
    await once(this.#child, "exit");
  }
}
