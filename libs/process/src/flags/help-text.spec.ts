import { describe, expect, it } from "vitest";
import { defineConfig } from "./flag.ts";
import { helpText } from "./help-text.ts";

describe("helpText", () => {
  it("shows every flag with its value, meaning, choices and default", () => {
    const spec = defineConfig({
      httpPort: { kind: "integer", default: 8080, help: "The port of the HTTP API." },
      queue: { kind: "choice", choices: ["auto", "embedded"], default: "auto", help: "The queue." },
      model: { kind: "string", required: true, valueName: "DIR", help: "The model's folder." },
      quiet: { kind: "boolean", help: "Say less." },
      memory: { kind: "size", min: 2 ** 20, default: "2GiB", help: "Its memory." },
    });
    const text = helpText(spec, "Usage: drover up [flags]");
    expect(text).toContain("Usage: drover up [flags]\n\nFlags:\n");
    expect(text).toMatch(/--http-port N +The port of the HTTP API\. Default: 8080\.\n/);
    expect(text).toMatch(/--queue auto\|embedded +The queue\. Default: auto\.\n/);
    expect(text).toMatch(/--model DIR +The model's folder\. Required\.\n/);
    expect(text).toMatch(/--memory SIZE +Its memory\. At least 1MiB\. Default: 2GiB\.\n/);
    expect(text).toMatch(/--quiet +Say less\.\n/);
    expect(text).toContain("DROVER_HTTP_PORT");
  });

  it("keeps lines within 110 columns", () => {
    const spec = defineConfig({ a: { kind: "string", help: "word ".repeat(80).trim() } });
    expect(
      Math.max(
        ...helpText(spec, "Usage")
          .split("\n")
          .map((line) => line.length),
      ),
    ).toBeLessThanOrEqual(110);
  });
});
