import { defineConfig } from "@drover/process";

export const TOKENIZE_USAGE = `Usage: drover tokenize --model DIR < LINES.jsonl

Reads JSON lines, {"text"} or {"messages", "tools", "add_generation_prompt", "chat_template_kwargs"}, and writes a line
{"text", "ids"} for each, in order: what the model would see. In "text" an image is one <|image|>. Image URLs are
files, relative to the working directory, or data URLs. Lines that cannot be encoded are left out of the output and
named on standard error; then the exit status is 1. DIR needs no more than a tokenizer's files.`;

export const tokenizeSpec = defineConfig({
  model: { kind: "string", required: true, valueName: "DIR", help: "Checkpoint, for its tokenizer and template." },
});
