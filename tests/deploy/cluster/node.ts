import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { REPOSITORY } from "../tools.ts";

export type NodeAsk =
  | Readonly<{ kind: "http"; url: string; headers: Readonly<Record<string, string>>; body?: string; timeoutMs: number }>
  | Readonly<{ kind: "chat"; address: string; model: string; prompt: string; key?: string }>;
export type NodeCall = Readonly<{ id: number; ask: NodeAsk }>;
/** `status` 0: it could not be reached, `text` says why. */
export type NodeAnswer = Readonly<{ id: number; status: number; text: string }>;

/** The node that pods run on, as a process in its network: it reaches pods by their addresses. */
export class NodeHost implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (answer: NodeAnswer) => void>();
  #lastId = 0;

  constructor(namespace: string) {
    const agent = join(import.meta.dirname, "node-agent.ts");
    const node = [process.execPath, "--conditions=@drover/source", agent];
    const stdio = ["ignore", "inherit", "inherit", "ipc"] as const;
    this.#child = spawn("ip", ["netns", "exec", namespace, ...node], { cwd: REPOSITORY, stdio: [...stdio] });
    this.#child.on("message", (answer: NodeAnswer) => {
      this.#waiting.get(answer.id)?.(answer);
      this.#waiting.delete(answer.id);
    });
    this.#child.on("exit", () => {
      for (const [id, resolve] of this.#waiting) resolve({ id, status: 0, text: "the node has ended" });
    });
  }

  ask(ask: NodeAsk): Promise<NodeAnswer> {
    const id = ++this.#lastId;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#child.send({ id, ask } satisfies NodeCall);
    });
  }

  get(url: string, timeoutMs: number): Promise<NodeAnswer> {
    return this.ask({ kind: "http", url, headers: {}, timeoutMs });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill();
    await once(this.#child, "exit");
  }
}
