import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { tokenizeLines } from "./tokenize-command.ts";

const nano = fileURLToPath(new URL("../../../../models/nano", import.meta.url));
const main = fileURLToPath(new URL("../main.ts", import.meta.url));
/** One black pixel. */
const PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";
const ask = (...content: unknown[]) => ({ messages: [{ role: "user", content }] });
const image = (url: string) => ({ type: "image_url", image_url: { url } });

async function run(lines: readonly unknown[], model = nano) {
  const complaints: string[] = [];
  const output = new PassThrough();
  const written = text(output);
  const input = Readable.from([Buffer.from(lines.map((line) => JSON.stringify(line)).join("\n"))]);
  const status = await tokenizeLines(model, input, output, (sentence) => complaints.push(sentence));
  output.end();
  const replies = (await written).split("\n").filter((line) => line !== "");
  return { status, complaints, replies: replies.map((line) => JSON.parse(line) as { text: string; ids: number[] }) };
}

describe("drover tokenize", () => {
  test("writes a line for each line, in order, and nothing of a text is special", async () => {
    const { status, complaints, replies } = await run([
      { text: "<|eot|>" },
      { text: "" },
      ask({ type: "text", text: "Hi" }),
    ]);
    expect({ status, complaints }).toEqual({ status: 0, complaints: [] });
    expect(replies.map((reply) => reply.text)).toEqual([
      "<|eot|>",
      "",
      expect.stringContaining("user<|header_end|>\n\nHi<|eot|>"),
    ]);
    expect(replies[1]?.ids).toEqual([]);
    expect(replies[0]?.ids.length).toBeGreaterThan(1);
  });

  test("goes on after bad lines, names each by its number, and ends with 1", async () => {
    const { status, complaints, replies } = await run([
      {},
      { text: "a" },
      ask(image("no-such.png")),
      ask(image("http://x/y.png")),
    ]);
    expect(status).toBe(1);
    expect(replies).toHaveLength(1);
    expect(complaints).toEqual([
      expect.stringMatching(/^line 1: text or messages/),
      expect.stringMatching(/^line 3: the picture no-such.png cannot be read/),
      expect.stringMatching(/^line 4: an image's URL must be a file or a data URL/),
    ]);
  });

  test("lays out an image, from a file or a data URL, as one <|image|> in the text and its tiles in the ids", async () => {
    const folder = await mkdtemp(join(tmpdir(), "drover-tokenize-"));
    try {
      await writeFile(join(folder, "pixel.png"), Buffer.from(PIXEL, "base64"));
      const urls = [join(folder, "pixel.png"), `data:image/png;base64,${PIXEL}`, `file://${folder}/pixel.png`];
      const { replies, complaints } = await run(urls.map((url) => ask(image(url))));
      expect(complaints).toEqual([]);
      expect(replies[0]?.text).toContain("<|header_end|>\n\n<|image|><|eot|>");
      expect(replies[0]?.ids.filter((id) => id === 4095)).toHaveLength(16);
      expect(replies[1]).toEqual(replies[0]);
      expect(replies[2]).toEqual(replies[0]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("needs no more than a tokenizer's files, and for images the processor's", async () => {
    const folder = await mkdtemp(join(tmpdir(), "drover-tokenize-"));
    try {
      for (const name of ["tokenizer.json", "chat_template.jinja"])
        await copyFile(join(nano, name), join(folder, name));
      const lines = [ask({ type: "text", text: "Hi" }), ask(image(`data:image/png;base64,${PIXEL}`))];
      const bare = await run(lines, folder);
      expect(bare.replies).toEqual([(await run(lines)).replies[0]]);
      expect(bare.complaints).toEqual([expect.stringMatching(/^line 2: images need a preprocessor_config.json/)]);
      for (const name of ["preprocessor_config.json", "processor_config.json"])
        await copyFile(join(nano, name), join(folder, name));
      expect(await run(lines, folder)).toEqual(await run(lines));
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("a model without a tokenizer is refused", async () => {
    await expect(run([], tmpdir())).rejects.toMatchObject({ code: "invalid_argument" });
  });

  test("reads no further when nobody takes the output, and ends quietly when its reader goes", async () => {
    const child = spawn(process.execPath, ["--conditions=@drover/source", main, "tokenize", "--model", nano]);
    const complaint = text(child.stderr);
    child.stdin.on("error", () => undefined);
    const line = Buffer.from(`${JSON.stringify({ text: "word ".repeat(2000) })}\n`.repeat(20));
    let sent = 0;
    const send = () => {
      while (child.stdin.writable && child.stdin.write(line)) sent += line.length;
    };
    child.stdin.on("drain", send);
    send();
    await once(child.stdout, "readable");
    child.stdout.destroy();
    const [status] = await once(child, "close");
    expect({ status, complaint: await complaint }).toEqual({ status: 0, complaint: "" });
    expect(sent).toBeLessThan(2 ** 28);
  });
});
