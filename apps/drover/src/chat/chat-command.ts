import { DroverError, neverAborted } from "@drover/core";
import { commandConfig, defineConfig } from "@drover/process";
import { readApiKey } from "../up/api-key.ts";
import { ChatClient } from "./chat-client.ts";
import { Conversation } from "./conversation.ts";
import { converse } from "./converse.ts";
import { pictureUrl } from "./picture.ts";

const USAGE = `Usage: drover chat [flags]

Talks to a cluster. /help tells what can be typed; Ctrl-C stops an answer, Ctrl-D ends.`;

const chatSpec = defineConfig({
  url: { kind: "string", form: "url", default: "http://127.0.0.1:8080", help: "A router's HTTP address." },
  model: { kind: "string", valueName: "NAME", help: "The model's id; the one that is served when absent." },
  system: { kind: "string", help: "A system message before the conversation." },
  image: {
    kind: "list",
    valueName: "FILE",
    help: "A picture for the first question: a file (PNG, JPEG, WebP, GIF) or an http(s) URL; repeat it for more.",
  },
  prompt: { kind: "string", help: "Ask this once, print the answer, and end." },
  expect: {
    kind: "string",
    valueName: "TEXT",
    help: "With --prompt: end with status 1 unless the answer has this in it.",
  },
  apiKeyFile: { kind: "string", valueName: "FILE", help: "A file whose first key is used." },
});

/** `drover chat`: a conversation at the terminal, or one question. Errors: as `ChatClient.stream`. */
export async function runChat(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  const config = commandConfig(chatSpec, { argv, env, command: "drover chat", usage: USAGE });
  if (config.expect !== undefined && config.prompt === undefined)
    throw new DroverError("invalid_argument", "--expect needs --prompt", { field: "expect" });
  const apiKey = config.apiKeyFile === undefined ? undefined : readApiKey(config.apiKeyFile);
  const client = new ChatClient({ url: config.url, apiKey });
  const pictures = await Promise.all(config.image.map(pictureUrl));
  const model = config.model ?? (await client.modelName(neverAborted));
  const conversation = new Conversation(client, model, { system: config.system, pictures });
  if (config.prompt === undefined) {
    await converse(conversation, { input: process.stdin, output: process.stdout, errors: process.stderr });
    return 0;
  }
  let answer = "";
  for await (const text of conversation.ask(config.prompt, neverAborted)) {
    answer += text;
    process.stdout.write(text);
  }
  process.stdout.write("\n");
  if (config.expect === undefined || answer.includes(config.expect)) return 0;
  console.error(`drover: the answer has no ${JSON.stringify(config.expect)} in it`);
  return 1;
}
