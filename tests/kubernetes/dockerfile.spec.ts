import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";

const ROOT = resolve(import.meta.dirname, "..", "..");
const read = (...path: string[]) => readFileSync(join(ROOT, ...path), "utf8");

/** Instructions with their continuation lines joined, without comments. */
const instructions = read("deploy", "Dockerfile")
  .split("\n")
  .filter((line) => !line.trimStart().startsWith("#"))
  .join("\n")
  .replaceAll(/\\\n\s*/g, "")
  .split("\n")
  .filter((line) => line !== "");

const of = (name: string): readonly string[] => instructions.filter((line) => line.startsWith(`${name} `));

test("the image is made by copying alone, on whatever base has Node", () => {
  const names = new Set(instructions.map((line) => line.split(" ")[0]));
  expect(of("ARG")).toEqual(["ARG BASE=node:24-slim"]);
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a build argument
  expect(of("FROM")).toEqual(["FROM ${BASE}"]);
  const allowed = ["ARG", "FROM", "LABEL", "WORKDIR", "COPY", "ENV", "USER", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT"];
  expect([...names].filter((name) => !allowed.includes(name ?? ""))).toEqual([]);
  expect(of("COPY")).toEqual(["COPY dist/image /app"]);
});

test("nothing that it starts needs a shell, and nobody in it is root", () => {
  expect(of("ENTRYPOINT")).toEqual(['ENTRYPOINT ["node", "/app/bin/drover.js"]']);
  const [health = ""] = of("HEALTHCHECK");
  expect(JSON.parse(health.slice(health.indexOf("CMD ") + 4))).toEqual(["node", "/app/bin/ready.js"]);
  expect(of("USER")).toEqual(["USER 10001:10001"]);
});

test("it has the allocator's settings that bin/drover has, and so have processes that start others", () => {
  const [environment = ""] = of("ENV");
  for (const name of ["MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"]) {
    const value = read("bin", "drover")
      .matchAll(new RegExp(`^export ${name}="\\$\\{${name}:-(\\d+)`, "gm"))
      .next().value?.[1];
    expect(value).toMatch(/^\d+$/);
    expect(environment).toContain(`${name}=${value}`);
    expect(read("scripts", "image", "drover.js")).toContain(`${name} ??= "${value}"`);
  }
});

test("a router gives back what large bodies took, however it is started", () => {
  const routers = read("deploy", "kubernetes.yaml").match(/- router$/gm)?.length;
  expect(routers).toBeGreaterThan(0);
  for (const name of ["MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"]) {
    const value = new RegExp(`${name}="\\$\\{${name}:-(\\d+)\\}"`).exec(read("bin", "drover"))?.[1];
    expect(Number(value)).toBe(2 ** 20);
    expect(read("apps", "drover", "src", "up", "process-plans.ts")).toContain(`${name}: "${value}"`);
    expect(read("deploy", "kubernetes.yaml").split(`name: ${name}, value: "${value}"`)).toHaveLength(
      (routers ?? 0) + 1,
    );
    expect(read("deploy", "compose.yaml")).toContain(`${name}: "${value}"`);
  }
});

test("the runtime's telemetry is off in it, in bin/drover, in the scripts' processes, and in each worker that the chart renders", () => {
  expect(of("ENV")[0]).toContain("ORT_DISABLE_TELEMETRY=1");
  expect(read("bin", "drover")).toContain("export ORT_DISABLE_TELEMETRY=1");
  expect(read("scripts", "image", "drover.js")).toContain('process.env.ORT_DISABLE_TELEMETRY = "1"');
  expect(read("scripts", "setup.mjs")).toContain('ORT_DISABLE_TELEMETRY: "1"');
  const rendered = read("deploy", "kubernetes.yaml");
  const workers = rendered.match(/- worker$/gm)?.length;
  expect(workers).toBeGreaterThan(0);
  expect(rendered.match(/name: ORT_DISABLE_TELEMETRY, value: "1"/g)).toHaveLength(workers ?? 0);
});
