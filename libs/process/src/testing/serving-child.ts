import { Worker } from "node:worker_threads";
import { assert, crashOnFailedAssertion, DroverError, whenAborted } from "@drover/core";
import { defineConfig } from "../flags/flag.ts";
import { PROCESS_FLAGS } from "../flags/process-flags.ts";
import { serve } from "../serve.ts";

/** A process of a kind of its own, which does what `--does` says and otherwise only lives until it is asked to end. */
const flags = defineConfig({
  ...PROCESS_FLAGS,
  drainDelay: { ...PROCESS_FLAGS.drainDelay, default: "0s" },
  does: {
    kind: "choice",
    choices: ["start", "hang", "fault", "assert", "reject", "throw", "thread", "loop", "handler"],
    default: "start",
    help: "What happens.",
  },
});

const failing = new URL("failing-thread.ts", import.meta.url);
const forever = new Promise<never>(() => undefined);

/** As frameworks do: whatever a handler throws is answered, and all goes on. */
function answered(handler: () => void): void {
  try {
    handler();
  } catch (error) {
    crashOnFailedAssertion(error);
  }
}

await serve(
  {
    kind: "child",
    usage: "child [flags]",
    flags,
    starting: "it is starting",
    identify: () => ({ id: "child-1", logged: { child: "child-1" } }),
  },
  async ({ config, ending, logger, progress, resources }) => {
    progress(config.does);
    resources.defer(() => logger.info("child.released"));
    const cause = new Error("the cause");
    if (config.does === "hang") await forever;
    if (config.does === "fault") throw new DroverError("unavailable", "there is no room", { cause });
    assert(config.does !== "assert", "an assertion holds");
    if (config.does === "reject") void Promise.reject(new TypeError("nobody waits for this", { cause }));
    if (config.does === "handler") answered(() => assert(false, "a handler's assertion holds"));
    if (config.does === "thread") new Worker(failing);
    if (config.does === "throw")
      setImmediate(() => {
        throw new DroverError("internal", "nobody catches this");
      });
    return {
      addresses: { grpc: "127.0.0.1:1" },
      ready: Promise.resolve(),
      unready: () => null,
      finished: async () => {
        if (config.does === "loop") await Promise.resolve().then(() => assert(false, "the loop goes on"));
        await whenAborted(ending.refusing);
      },
    };
  },
);
