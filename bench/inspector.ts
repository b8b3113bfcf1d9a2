/** A Node process's heap as its inspector sees it: start it with `--inspect=127.0.0.1:0` and hand over the address that it prints. */
export class Inspector implements Disposable {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (result: Record<string, unknown>) => void>();
  #next = 1;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      const { id, result, error } = JSON.parse(String(data));
      if (error !== undefined) throw new Error(`the inspector refuses: ${error.message}`);
      this.#waiting.get(id)?.(result);
      this.#waiting.delete(id);
    });
  }

  static async connect(address: string): Promise<Inspector> {
    const socket = new WebSocket(address);
    await new Promise((resolve, reject) => {
      socket.addEventListener("open", resolve, { once: true });
      socket.addEventListener("error", () => reject(new Error(`no inspector at ${address}`)), { once: true });
    });
    return new Inspector(socket);
  }

  /** Bytes in use after collections that leave nothing to collect. */
  async heapBytes(): Promise<number> {
    for (let i = 0; i < 3; i++) await this.#call("HeapProfiler.collectGarbage");
    return Number((await this.#call("Runtime.getHeapUsage")).usedSize);
  }

  #call(method: string): Promise<Record<string, unknown>> {
    const id = this.#next++;
    this.#socket.send(JSON.stringify({ id, method }));
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}
