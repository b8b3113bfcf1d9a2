import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { canTrace, foreignPeer, straceCommand, systemCalls, touched } from "./system-calls.ts";

/** What a library that reports home does, in a child of the traced process. */
const REPORTER = `
  require("node:fs").writeFileSync(process.argv[1] + "/device-id", "1");
  require("node:net").connect(9, "127.0.0.1").on("error", () => undefined);
  require("node:dgram").createSocket("udp4").send("1", 53, "127.0.0.11", () => undefined);
  require("node:net").connect(9, "192.0.2.1").on("error", () => undefined).setTimeout(1, () => process.exit());
`;

test.skipIf(!canTrace())(
  "a name that is asked for, a peer elsewhere and a file are seen, also of a child's child",
  () => {
    const folder = mkdtempSync(join(tmpdir(), "drover-trace-"));
    try {
      const [command = "", ...args] = straceCommand(join(folder, "trace"));
      // Without a tracer of its own it is over when this is.
      const plain = args.filter((argument) => argument !== "-D");
      execFileSync(command, [...plain, "sh", "-c", '"$0" -e "$1" "$2"; true', process.execPath, REPORTER, folder]);
      const calls = systemCalls(join(folder, "trace"));
      const foreign = calls.flatMap((call) => foreignPeer(call) ?? []).join("\n");
      expect(foreign).toContain("192.0.2.1");
      expect(foreign).toContain("htons(53)");
      expect(foreign).not.toContain('htons(9), sin_addr=inet_addr("127.0.0.1")');
      expect(calls.flatMap(touched)).toContainEqual({ path: join(folder, "device-id"), written: true });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);
