import { type Config, defineConfig } from "@drover/process";

export const BENCH_USAGE = `Usage: drover bench serve [URL] [flags]

Sends a load to a server that speaks OpenAI's API and says how it is served: times to the first token and between
tokens, tokens a second, and the share of requests within a service level. With --against other servers get the same
load in turns. Ctrl-C ends it and shows what was measured. The exit status is 0 where every request was answered.`;

export const benchSpec = defineConfig({
  against: {
    kind: "list",
    valueName: "NAME=URL",
    help: "Another server to measure beside it, in turns; repeat it for more.",
  },
  model: { kind: "string", valueName: "NAME", help: "The model's id; the first one that is served when absent." },
  apiKeyFile: { kind: "string", valueName: "FILE", help: "A file whose first key is used, with all of the servers." },
  api: {
    kind: "choice",
    choices: ["chat", "completions"],
    default: "chat",
    help: "Which of the two interfaces is asked.",
  },
  concurrency: {
    kind: "list",
    valueName: "N",
    help: "Requests in flight, one level each: 1,8,32. Default: 8, where there is no --rate and no --trace.",
  },
  rate: {
    kind: "list",
    valueName: "PER-SECOND",
    help: "Requests that begin in a second, whether or not others are answered; one level each.",
  },
  burstiness: {
    kind: "number",
    default: 1,
    min: 0.01,
    max: 1000,
    help: "With --rate: 1 is a Poisson process, less is burstier, more is more even.",
  },
  requests: { kind: "integer", default: 64, min: 1, max: 1_000_000, help: "Requests of each level and round." },
  rounds: {
    kind: "integer",
    default: 1,
    min: 1,
    max: 100,
    help: "Times that each level is measured; medians are shown.",
  },
  warmup: { kind: "integer", default: 2, min: 0, max: 1000, help: "Requests to each server that are not measured." },
  inputTokens: {
    kind: "string",
    valueName: "N|MIN-MAX",
    default: "256",
    help: "Tokens of a prompt. Words are counted by asking the server how many tokens they are.",
  },
  outputTokens: { kind: "string", valueName: "N|MIN-MAX", default: "64", help: "Tokens of an answer, at most." },
  ignoreEos: {
    kind: "boolean",
    default: true,
    help: "Ask for answers of just that length. Servers that do not know ignore_eos refuse it: --no-ignore-eos.",
  },
  prefixTokens: {
    kind: "integer",
    default: 0,
    min: 0,
    max: 10_000_000,
    help: "Tokens that prompts of a group begin with.",
  },
  prefixGroups: {
    kind: "integer",
    default: 1,
    min: 1,
    max: 100_000,
    help: "Groups of prompts with the same beginning.",
  },
  image: {
    kind: "list",
    valueName: "FILE",
    help: "A picture for every prompt: a file or an http(s) URL; repeat it for more.",
  },
  schema: { kind: "string", valueName: "FILE", help: "A JSON Schema that answers must follow." },
  temperature: { kind: "number", default: 0, min: 0, max: 2, help: "Of sampling." },
  trace: {
    kind: "string",
    valueName: "FILE",
    help: "Times, lengths and shared blocks of a recorded load: JSON lines with timestamp (ms), input_length, output_length, hash_ids.",
  },
  traceSpeed: { kind: "number", default: 1, min: 0.001, max: 1000, help: "How much faster the trace is replayed." },
  traceLengths: {
    kind: "number",
    default: 1,
    min: 0.0001,
    max: 1,
    help: "What part of the trace's lengths is sent, for models with less context.",
  },
  goodput: {
    kind: "list",
    valueName: "NAME:MS",
    help: "A service level: ttft, tpot (time per token behind the first) and e2e, in milliseconds.",
  },
  timeout: { kind: "duration", default: "10m", min: 1000, help: "How long one request may take." },
  seed: {
    kind: "integer",
    min: 0,
    max: 0xffff_ffff,
    help: "What prompts and times follow from. Another one each time when absent, so that no server has seen the prompts.",
  },
  json: { kind: "boolean", help: "Print JSON: the table, and every request's times." },
  html: { kind: "string", valueName: "FILE", help: "Write a page with the table and its plots." },
});

export type BenchConfig = Config<typeof benchSpec>;
