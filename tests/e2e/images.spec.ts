import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { create } from "@bufbuild/protobuf";
import { publicApi } from "@drover/proto";
import { RpcClient } from "@drover/rpc";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkFile, SHARED } from "../goldens/run-goldens.ts";
import { ROOT, TestCluster } from "./test-cluster.ts";

const TASKS = join(SHARED, "goldens/nano/tasks.jsonl");
const present = existsSync(TASKS);
if (process.env.CI && !present) throw new Error("the tasks are read from ../shared, which is absent");

type ImagePart = { type: "image_url"; image_url: { url: string } };
type Task = {
  name: string;
  request: { messages: [{ role: "user"; content: (ImagePart | { type: "text"; text: string })[] }] };
  expected: { text: string };
};

const run = promisify(execFile);
const tasks = present ? readFileSync(TASKS, "utf8").split("\n").filter(Boolean) : [];
const compareTasks = tasks
  .filter((line) => line.startsWith('{"name": "compare') || line.startsWith('{"name":"compare'))
  .map((line) => JSON.parse(line) as Task);
const urlsOf = ({ request }: Task) =>
  request.messages[0].content.flatMap((part) => (part.type === "image_url" ? [part.image_url.url] : []));
const bytesOf = (url: string) => Buffer.from(url.slice(url.indexOf(",") + 1), "base64");
const QUESTION = "Can you describe how these two images are similar, and how they differ?";

/** Two vision workers apart from attention, so that features travel. */
describe.skipIf(!present)("images (needs ../shared)", () => {
  let cluster: TestCluster;
  let openai: OpenAI;
  let folder: string;
  let server: Server;
  let base: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "drover-images-"));
    server = createServer((request, response) => {
      const task = compareTasks[Number(request.url?.slice(1).split("/")[0])];
      const picture = task === undefined ? undefined : urlsOf(task)[Number(request.url?.split("/")[2])];
      if (picture === undefined) response.writeHead(404).end();
      else response.writeHead(200, { "content-type": "image/png" }).end(bytesOf(picture));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    base = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
    cluster = await TestCluster.start({
      model: join(SHARED, "nano"),
      expertWorkers: 1,
      flags: ["--vision-workers", "2", "--allow-private-image-urls"],
    });
    openai = new OpenAI({ baseURL: `${cluster.url}/v1`, apiKey: "none", maxRetries: 2 });
  });
  afterAll(async () => {
    server.close();
    await cluster[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  const compare = async (urls: readonly string[], options?: OpenAI.RequestOptions) => {
    const images = urls.map((url) => ({ type: "image_url" as const, image_url: { url } }));
    const content = [...images, { type: "text" as const, text: QUESTION }];
    const answer = await openai.chat.completions.create(
      { model: "nano", temperature: 0, messages: [{ role: "user", content }] },
      options,
    );
    return answer.choices[0]?.message.content;
  };

  test("the official client gets the right answer on every pair of pictures", async () => {
    expect(compareTasks.length).toBeGreaterThan(0);
    for (const task of compareTasks)
      expect([task.name, await compare(urlsOf(task))]).toEqual([task.name, task.expected.text]);
  });

  test("pictures come by http as well, and one that is not there is refused", async () => {
    for (const [i, task] of compareTasks.slice(0, 3).entries())
      expect(await compare([`${base}/${i}/0`, `${base}/${i}/1`])).toBe(task.expected.text);
    await expect(compare([`${base}/none`])).rejects.toMatchObject({ status: 400 });
  });

  test("gRPC takes pictures too", async () => {
    using client = new RpcClient(`127.0.0.1:${cluster.grpcPort}`);
    for (const task of compareTasks.slice(0, 3)) {
      const pictures = urlsOf(task).map((url) => ({ part: { case: "imageUrl" as const, value: url } }));
      const parts = [...pictures, { part: { case: "text" as const, value: QUESTION } }];
      const messages = [{ role: "user", parts }];
      const request = create(publicApi.ChatRequestSchema, { model: "nano", messages, options: { temperature: 0 } });
      let text = "";
      for await (const reply of client.serverStream(publicApi.Inference.method.chat, request)) text += reply.text;
      expect(text).toBe(task.expected.text);
    }
  });

  test("drover chat shows files", async () => {
    for (const [i, task] of compareTasks.slice(0, 5).entries()) {
      const files = await Promise.all(
        urlsOf(task).map(async (url, k) => {
          const file = join(folder, `${i}-${k}.png`);
          await writeFile(file, bytesOf(url));
          return file;
        }),
      );
      const shown = files.flatMap((file) => ["--image", file]);
      const main = ["--conditions=@drover/source", "apps/drover/src/main.ts"];
      const ask = ["chat", "--url", cluster.url, ...shown, "--prompt", QUESTION];
      const { stdout } = await run(process.execPath, [...main, ...ask], { cwd: ROOT });
      expect(stdout.trim()).toBe(task.expected.text);
    }
  });

  test("a killed vision worker's features are made again, for a client that comes back when it is told to", async () => {
    const [first, second] = compareTasks;
    if (first === undefined || second === undefined) throw new Error("there are compare tasks");
    expect(await compare(urlsOf(first))).toBe(first.expected.text);
    for (const pid of cluster.pids("--roles=vision")) process.kill(pid, "SIGKILL");
    // The official client obeys Retry-After.
    expect(await compare(urlsOf(first), { maxRetries: 60 })).toBe(first.expected.text);
    expect(await compare(urlsOf(second))).toBe(second.expected.text);
  });

  test("the reference's share of the tasks is right, pictures and tools among them", async () => {
    expect(await checkFile("nano/tasks.jsonl", cluster.url, 8)).toMatch(/tasks right/);
  });
});
