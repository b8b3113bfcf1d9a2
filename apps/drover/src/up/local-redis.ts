import { basename } from "node:path";
import { type Clock, DroverError, sleepUnlessAborted } from "@drover/core";
import { listenBriefly } from "../brief-listener.ts";
import { REDIS_PING_INTERVAL_MS, REDIS_START_MS_MAX } from "../limits.ts";
import { type Launched, launchProcess, type Observer } from "./launch.ts";
import { pingRedis } from "./redis-ping.ts";
import type { ProcessPlan } from "./supervised.ts";

const HOST = "127.0.0.1";

/**
 * A Redis of this cluster alone: on a free port of loopback, its files in `folder`, with what BullMQ asks for: nothing is ever
 * evicted, and what was added survives the server's death. Errors: `unavailable` when no port is free.
 */
export async function planLocalRedis(program: string, folder: string, clock: Clock): Promise<ProcessPlan> {
  const port = await freePort();
  const settings = { bind: HOST, port: String(port), dir: folder, appendonly: "yes", appendfsync: "everysec" };
  const limits = { "maxmemory-policy": "noeviction", save: "", daemonize: "no" };
  const args = Object.entries({ ...settings, ...limits }).flatMap(([name, value]) => [`--${name}`, value]);
  return {
    name: basename(program),
    quiet: true,
    launch: (_before, observer) => {
      const launched = launchProcess(program, args, { env: {}, ipc: false }, observer);
      void announceWhenUp(launched, port, clock, observer);
      return launched;
    },
  };
}

/** Stands in for the announcements that Redis does not make; kills a server that never answers. */
async function announceWhenUp(launched: Launched, port: number, clock: Clock, observer: Observer): Promise<void> {
  const ended = new AbortController();
  void launched.exit.then(() => ended.abort(new DroverError("unavailable", "the server has ended")));
  const deadline = clock.monotonic() + REDIS_START_MS_MAX;
  while (!ended.signal.aborted) {
    if (await pingRedis(HOST, port)) {
      observer.announce({ kind: "listening", addresses: { redis: `${HOST}:${port}` } });
      observer.announce({ kind: "ready" });
      return;
    }
    if (clock.monotonic() > deadline) {
      observer.line(`it did not answer within ${REDIS_START_MS_MAX / 1000} s`);
      launched.kill("SIGKILL");
      return;
    }
    await sleepUnlessAborted(clock, REDIS_PING_INTERVAL_MS, ended.signal);
  }
}

const freePort = (): Promise<number> =>
  listenBriefly({ host: HOST, port: 0 }, (port) => port).catch((cause) => {
    throw new DroverError("unavailable", "no free port", { cause });
  });
