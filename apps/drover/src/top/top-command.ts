import { sleepUnlessAborted, systemClock, toDroverError } from "@drover/core";
import type { ClusterState } from "@drover/fleet";
import { commandConfig, defineConfig } from "@drover/process";
import { endSignals } from "../end-signals.ts";
import { readApiKey } from "../up/api-key.ts";
import { CardRates } from "./card-rates.ts";
import { QuitKey, type TopInput } from "./quit-key.ts";
import { TokenRates } from "./token-rates.ts";
import { TopClient } from "./top-client.ts";
import { topPage } from "./top-page.ts";
import { type TopOutput, TopScreen } from "./top-screen.ts";

const USAGE = `Usage: drover top [flags]

Shows a cluster's workers, their KV and prefix hits, the queue's lanes and the experts' heat. q or Ctrl-C ends.`;

const topSpec = defineConfig({
  url: { kind: "string", form: "url", default: "http://127.0.0.1:8080", help: "A router's HTTP address." },
  apiKeyFile: { kind: "string", valueName: "FILE", help: "A file whose first key is used." },
  interval: { kind: "duration", default: "1s", min: 100, help: "How often it is looked at again." },
  once: { kind: "boolean", help: "Print once and end." },
});

/** A page that goes elsewhere than to a terminal leaves the keys alone. */
const NO_INPUT: TopInput = { on: () => undefined, pause: () => undefined };

/** `drover top`. With `--once` the errors are those of `TopClient.state`; without, they are shown until the router answers again. */
export async function runTop(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  output: TopOutput = process.stdout,
  input: TopInput = process.stdin,
): Promise<number> {
  const config = commandConfig(topSpec, { argv, env, command: "drover top", usage: USAGE });
  const apiKey = config.apiKeyFile === undefined ? undefined : readApiKey(config.apiKeyFile);
  const client = new TopClient({ url: config.url, apiKey });
  if (config.once) {
    const page = topPage(await client.state(endSignals()));
    output.write(`${page.join("\n")}\n`);
    return 0;
  }
  using quit = new QuitKey(output.isTTY === true ? input : NO_INPUT);
  const ended = endSignals({ others: [quit.pressed] });
  const rates = new TokenRates();
  const cardRates = new CardRates();
  const pageOf = (state: ClusterState | undefined) =>
    topPage(state, state && rates.see(state), state && cardRates.see(state));
  using screen = new TopScreen(output);
  while (!ended.aborted) {
    const page = await client.state(ended).then(pageOf, (error: unknown) => [toDroverError(error).message]);
    if (ended.aborted) break;
    screen.show(page);
    await sleepUnlessAborted(systemClock, config.interval, ended);
  }
  return 0;
}
