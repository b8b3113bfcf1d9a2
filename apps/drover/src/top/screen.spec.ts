import { describe, expect, it } from "vitest";
import { screen } from "./screen.ts";

describe("screen", () => {
  it("says where to ask, where requests wait, and what runs where", () => {
    const rows = [
      { name: "router", pid: 12, addresses: { http: "127.0.0.1:8080", grpc: "127.0.0.1:50051" } },
      { name: "experts-10", pid: undefined, addresses: {} },
    ];
    const text = screen({
      modelName: "nano",
      queue: "embedded",
      url: "http://127.0.0.1:8080",
      grpc: "127.0.0.1:50051",
      secretFile: "/tmp/secret",
      rows,
    });
    expect(text).toContain("OpenAI API   http://127.0.0.1:8080/v1\n");
    expect(text).toContain("queue        embedded\n");
    expect(text).toContain("  process      pid   addresses\n");
    expect(text).toContain("  router       12    http 127.0.0.1:8080   grpc 127.0.0.1:50051\n");
    expect(text).toContain("  experts-10   -\n");
  });
});
