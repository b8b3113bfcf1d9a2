import { defineConfig } from "@drover/process";
import { PRIORITIES, RIGHTS } from "@drover/tenants";

export const KEYS_USAGE = `Usage: drover keys create NAME --file FILE [flags]
       drover keys list --file FILE
       drover keys revoke NAME --file FILE

Makes a tenant's key, which is printed once and kept only as its SHA-256, lists tenants, and takes one out with all of its keys. Routers read
the file again by themselves (--api-key-file).`;

const LIMIT = { kind: "integer", min: 1 } as const;

export const keysSpec = defineConfig({
  file: { kind: "string", required: true, valueName: "FILE", help: "The keys file." },
  requestsPerMinute: { ...LIMIT, help: "Requests that it may begin in a minute." },
  tokensPerMinute: { ...LIMIT, help: "Tokens of prompts and answers in a minute." },
  concurrentRequests: { ...LIMIT, help: "Requests at once." },
  kvBytes: { kind: "size", min: 1, help: "KV that its requests at once may grow to." },
  models: { kind: "list", valueName: "NAME", help: "Ids of the models that it may ask; all when absent." },
  priority: { kind: "choice", choices: PRIORITIES, default: "normal", help: "What goes first in the queue." },
  weight: { kind: "number", default: 1, min: 0.01, max: 100, help: "Its part beside others of its priority." },
  group: {
    kind: "string",
    form: "name",
    valueName: "NAME",
    help: "Tenants of one group share cached prefixes and images.",
  },
  rights: { kind: "list", choices: RIGHTS, valueName: "RIGHT", help: "What it may do besides: debug, batches." },
});
