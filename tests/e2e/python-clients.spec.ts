import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { TestCluster } from "./test-cluster.ts";

const run = promisify(execFile);
const PACKAGES = ["httpx", "langchain-openai", "litellm", "lm-eval[api]", "openai"];
const SCRIPTS = ["openai_client.py", "python_clients.py", "lm_eval_client.py"];

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await TestCluster.start({ expertWorkers: 1 });
});
afterAll(() => cluster?.[Symbol.asyncDispose]());

test("OpenAI's own client, LangChain's models, LiteLLM, httpx's lines and lm-eval work, also when the context is full", async (context) => {
  const folder = await mkdtemp(join(tmpdir(), "drover-python-clients-"));
  try {
    const python = await pythonWithClients(folder).catch((error: Error) => {
      if (process.env.CI) throw error;
      return undefined;
    });
    if (python === undefined) return context.skip(`Python's ${PACKAGES.join(", ")} could not be installed`);
    // One environment for all: to install it takes longer than all that is asked.
    for (const script of SCRIPTS) {
      const { stdout } = await run(python, [join(import.meta.dirname, script), `${cluster.url}/v1`]);
      // LiteLLM prints advice of its own before.
      expect(stdout.trim().split("\n").at(-1), script).toBe("all well");
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

/** A Python that has the clients: the machine's own, or one of a virtual environment in the folder. */
async function pythonWithClients(folder: string): Promise<string> {
  const own = process.env.DROVER_TEST_PYTHON ?? "python3";
  const has = await run(own, ["-c", "import httpx, langchain_openai, litellm, lm_eval, openai"]).then(
    () => true,
    () => false,
  );
  if (has) return own;
  await run("python3", ["-m", "venv", folder]);
  const python = join(folder, "bin/python");
  await run(python, ["-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check", "uv"]);
  // uv takes a third of pip's time for the some hundred packages that they need.
  await run(join(folder, "bin/uv"), ["pip", "install", "--quiet", "--no-cache", "--python", python, ...PACKAGES]);
  return python;
}
