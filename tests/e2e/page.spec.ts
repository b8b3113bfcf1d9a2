import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PATIENCE_MS } from "@drover/testkit";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ROOT, TestCluster } from "./test-cluster.ts";

const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync);
if (CHROMIUM === undefined && process.env.CI) throw new Error("the page's tests need chromium");

const KEY = "a-key-of-this-test";
const PATIENCE = { timeout: PATIENCE_MS };
const ANSWERED = "article.turn:last-of-type .facts button";

describe.skipIf(CHROMIUM === undefined)("the page for people (needs chromium)", () => {
  const folder = mkdtempSync(join(tmpdir(), "drover-page-"));
  const foreign: string[] = [];
  const problems: string[] = [];
  let cluster: TestCluster;
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    const keys = join(folder, "keys");
    writeFileSync(keys, `${KEY}\n`);
    cluster = await TestCluster.start({ expertWorkers: 2, flags: ["--api-key-file", keys] });
    browser = await chromium.launch({ executablePath: CHROMIUM ?? "", args: ["--no-sandbox"] });
    page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    page.on("request", (request) => {
      if (!request.url().startsWith(cluster.url) && !request.url().startsWith("data:")) foreign.push(request.url());
    });
    page.on("pageerror", (error) => problems.push(error.message));
    page.on("console", (message) => {
      if (/Content Security Policy|Uncaught/.test(message.text())) problems.push(message.text());
    });
    await page.goto(cluster.url);
  });

  afterAll(async () => {
    await browser?.close();
    await cluster?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  const ask = async (question: string) => {
    await page.getByLabel("Question").fill(question);
    await page.keyboard.press("Enter");
  };
  const lastAnswer = async () => (await page.locator("article.turn").last().locator(".answer").textContent()) ?? "";

  test("a key that is not known is refused, and the right one opens it", async () => {
    await page.getByLabel("API key").fill("another");
    await page.keyboard.press("Enter");
    await page.getByText("That key is not known here.").waitFor(PATIENCE);
    await page.getByLabel("API key").fill(KEY);
    await page.keyboard.press("Enter");
    await page.getByLabel("Question").waitFor(PATIENCE);
    expect(await page.getByLabel("Model").inputValue()).toBe("nano");
  });

  test("a picture is asked about, and the answer says how fast it came", async () => {
    await page.setInputFiles("input[type=file]", join(ROOT, "models/nano/shapes.png"));
    await page.getByRole("button", { name: "Remove shapes.png" }).waitFor(PATIENCE);
    await ask("What is in this image?");
    await page.locator(ANSWERED).waitFor(PATIENCE);
    expect(await lastAnswer()).toContain("red circle");
    expect(await page.locator(".facts").last().textContent()).toMatch(/first token .* tokens\/s · \d+ tokens/);
  });

  test("the conversation goes on, is begun anew, and a file that is neither picture nor text is refused by name", async () => {
    await ask("What is the capital of Japan?");
    await page.locator(ANSWERED).waitFor(PATIENCE);
    expect(await page.locator("article.turn").count()).toBe(2);
    await page.getByRole("button", { name: "New conversation" }).click();
    expect(await page.locator("article.turn").count()).toBe(0);
    const buffer = Buffer.from([0xff, 0xfe, 0x00]);
    await page.setInputFiles("input[type=file]", { name: "a.bin", mimeType: "application/octet-stream", buffer });
    await page.getByText("a.bin is neither a picture nor text").waitFor(PATIENCE);
  });

  test("a long answer is stopped by the keyboard and asked for again", async () => {
    await page.getByLabel("Most tokens").fill("2000");
    await page.getByLabel("Temperature").fill("1.9");
    await ask("Tell a long story.");
    await page.locator(".answer p:not(.waiting)").waitFor(PATIENCE);
    await page.getByLabel("Question").focus();
    const isRunning = await page.getByRole("button", { name: "Stop" }).isVisible();
    await page.keyboard.press("Escape");
    await page.locator(ANSWERED).waitFor(PATIENCE);
    // At this temperature it may have ended by itself.
    if (isRunning) expect(await page.locator(".facts").last().textContent()).toMatch(/stopped|tokens/);
    await page.getByLabel("Temperature").fill("0");
    await page.getByLabel("Most tokens").fill("4");
    await page.getByRole("button", { name: "Retry" }).click();
    await page.getByText("ended at its longest").waitFor(PATIENCE);
    expect(await page.locator("article.turn").count()).toBe(1);
    for (const field of ["Most tokens", "Temperature"]) await page.getByLabel(field).fill("");
  });

  test("a JSON Schema binds the answer, and one that is no JSON is said before anything is sent", async () => {
    const schema = page.getByLabel("JSON Schema of the answer");
    await schema.fill("{");
    await page.getByText("the schema is no JSON").waitFor(PATIENCE);
    expect(await page.getByRole("button", { name: "Send" }).isDisabled()).toBe(true);
    await schema.fill(
      '{"type":"object","properties":{"n":{"enum":[7]}},"required":["n"],"additionalProperties":false}',
    );
    await ask("As JSON.");
    await page.locator(ANSWERED).waitFor(PATIENCE);
    expect(JSON.parse(await lastAnswer())).toEqual({ n: 7 });
  });

  test("what the server refuses is shown in its own words", async () => {
    await page.getByLabel("JSON Schema of the answer").fill("");
    await page.getByLabel("Temperature").fill("-1");
    await ask("Hello");
    await page.locator("article.turn").last().getByRole("alert").getByText("temperature").waitFor(PATIENCE);
  });

  test("the cluster is shown live: workers, experts by layer, and a worker that dies and comes back", async () => {
    await page.getByRole("link", { name: "Cluster" }).click();
    await page.getByRole("cell", { name: "experts-1" }).waitFor(PATIENCE);
    const picture = page.locator(".experts svg");
    expect(await picture.getAttribute("aria-label")).toMatch(
      /^512 experts in 4 layers, 0 held by nobody. Hottest: expert/,
    );
    expect(await picture.locator("rect").count()).toBe(512);
    const [pid] = cluster.pids("--worker-id=experts-1");
    if (pid !== undefined) process.kill(pid, "SIGKILL");
    await page
      .locator(".changes")
      .getByText(/experts-1 (is gone|was started again|is silent)/)
      .first()
      .waitFor(PATIENCE);
  });

  test("the interface is described, at an address of its own", async () => {
    await page.goto(`${cluster.url}/docs`);
    await page.getByText("POST /v1/chat/completions").click();
    await page.getByRole("cell", { name: "messages (required)" }).first().waitFor(PATIENCE);
  });

  test("every field has a name for screen readers, in the dark too, and nothing came from elsewhere", async () => {
    await page.emulateMedia({ colorScheme: "dark" });
    await page.goto(cluster.url);
    await page.getByLabel("Question").waitFor(PATIENCE);
    const unnamed = await page.$$eval(
      "input:not([aria-hidden]), select, textarea",
      (fields) => fields.filter((field) => !(field as unknown as { labels: ArrayLike<unknown> }).labels.length).length,
    );
    const background = await page.evaluate("getComputedStyle(document.body).backgroundColor");
    expect({ unnamed, background, foreign, problems }).toEqual({
      unnamed: 0,
      background: "rgb(22, 25, 29)",
      foreign: [],
      problems: [],
    });
  });
});
