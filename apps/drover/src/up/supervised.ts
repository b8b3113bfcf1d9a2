import { type Clock, DroverError, sleepUnlessAborted } from "@drover/core";
import { LINES_KEPT, STOP_GRACE_MS } from "../limits.ts";
import { Backoff } from "./backoff.ts";
import type { Exit, Launched, Observer } from "./launch.ts";

export type Addresses = Readonly<Record<string, string>>;

/** A process to keep running. `launch` gets the addresses of its last life, so that peers find it again where it was. */
export type ProcessPlan = Readonly<{
  name: string;
  launch(before: Addresses | undefined, observer: Observer): Launched;
  /** Its lines are of interest only when it cannot start. */
  quiet?: true;
}>;

export type SupervisedEvent =
  | Readonly<{ kind: "progress"; name: string; text: string }>
  | Readonly<{ kind: "line"; name: string; text: string; quiet: boolean }>
  | Readonly<{ kind: "started" | "ended"; name: string; pid: number }>
  | Readonly<{ kind: "died"; name: string; exit: Exit; restartMs: number }>
  | Readonly<{ kind: "ready"; name: string; again: boolean }>;

/** One child: started, watched, started again with backoff when it dies, stopped in the end. */
export class Supervised {
  readonly name: string;
  /** Its addresses as soon as it listens. Rejects with `unavailable` and its last lines when it ends without ever having listened. */
  readonly listening: Promise<Addresses>;
  /** Resolves when it is ready for the first time; rejects as `listening` does. */
  readonly ready: Promise<void>;
  readonly #plan: ProcessPlan;
  readonly #clock: Clock;
  readonly #emit: (event: SupervisedEvent) => void;
  readonly #stop = new AbortController();
  readonly #isListening = Promise.withResolvers<Addresses>();
  readonly #isReady = Promise.withResolvers<void>();
  readonly #backoff = new Backoff();
  readonly #lastLines: string[] = [];
  #addresses: Addresses | undefined;
  #wasReady = false;
  /** When it was ready in its present life, or its last one; undefined where it was not. */
  #readyAtMs: number | undefined;
  #current: Launched | undefined;
  #ended: Promise<void> | undefined;

  constructor(plan: ProcessPlan, clock: Clock, emit: (event: SupervisedEvent) => void) {
    this.name = plan.name;
    this.#plan = plan;
    this.#clock = clock;
    this.#emit = emit;
    this.listening = this.#isListening.promise;
    this.ready = this.#isReady.promise;
    // Whoever waits hears of it; nobody has to.
    this.listening.catch(() => undefined);
    this.ready.catch(() => undefined);
  }

  get pid(): number | undefined {
    return this.#current?.pid;
  }

  get addresses(): Addresses | undefined {
    return this.#addresses;
  }

  get isReady(): boolean {
    return this.#wasReady;
  }

  start(): void {
    this.#ended ??= this.#run();
  }

  /** Asks it to end, kills it when it does not within the grace, and resolves when it is gone. */
  async stop(graceMs = STOP_GRACE_MS): Promise<void> {
    const stopped = new DroverError("cancelled", `${this.name} was stopped while it started`);
    this.#stop.abort(stopped);
    this.#fail(stopped);
    this.#current?.kill("SIGTERM");
    const graceOver = new AbortController();
    void sleepUnlessAborted(this.#clock, graceMs, graceOver.signal).then(() => {
      if (!graceOver.signal.aborted) this.#current?.kill("SIGKILL");
    });
    await this.#ended;
    graceOver.abort(new DroverError("cancelled", `${this.name} has ended`));
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const begin = this.#clock.monotonic();
      const exit = await this.#live();
      if (this.#stop.signal.aborted) return;
      if (this.#addresses === undefined) {
        // What the others said has been shown as it came.
        const reason = this.#plan.quiet ? `\n${this.#lastLines.join("\n")}` : "";
        this.#fail(
          new DroverError("unavailable", `${this.name} ended while it started (${describeExit(exit)})${reason}`),
        );
        return;
      }
      const died = this.#clock.monotonic();
      const restartMs = this.#backoff.afterDeath(died - begin, died - (this.#readyAtMs ?? died));
      this.#emit({ kind: "died", name: this.name, exit, restartMs });
      await sleepUnlessAborted(this.#clock, restartMs, this.#stop.signal);
    }
  }

  async #live(): Promise<Exit> {
    this.#lastLines.length = 0;
    this.#readyAtMs = undefined;
    const launched = this.#plan.launch(this.#addresses, {
      announce: (message) => {
        if (message.kind === "progress") this.#emit({ kind: "progress", name: this.name, text: message.text });
        if (message.kind === "listening") {
          this.#addresses = message.addresses;
          this.#isListening.resolve(message.addresses);
        }
        if (message.kind === "ready") {
          if (this.#readyAtMs === undefined) this.#emit({ kind: "ready", name: this.name, again: this.#wasReady });
          this.#readyAtMs ??= this.#clock.monotonic();
          this.#wasReady = true;
          this.#isReady.resolve();
        }
      },
      line: (text) => {
        if (this.#lastLines.push(text) > LINES_KEPT) this.#lastLines.shift();
        this.#emit({ kind: "line", name: this.name, text, quiet: this.#plan.quiet ?? false });
      },
    });
    this.#current = launched;
    if (launched.pid !== undefined) this.#emit({ kind: "started", name: this.name, pid: launched.pid });
    const exit = await launched.exit;
    this.#current = undefined;
    if (launched.pid !== undefined) this.#emit({ kind: "ended", name: this.name, pid: launched.pid });
    return exit;
  }

  #fail(error: DroverError): void {
    this.#isListening.reject(error);
    this.#isReady.reject(error);
  }
}

export const describeExit = (exit: Exit): string =>
  exit.signal === null ? `exit status ${exit.code}` : `killed by ${exit.signal}`;
