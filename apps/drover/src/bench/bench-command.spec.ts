import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runBench } from "./bench-command.ts";

test.each([
  [join(tmpdir(), "no-such-folder-here", "page.html"), "its folder is not there"],
  [tmpdir(), "it is a folder"],
])("a page that cannot be written is refused before any server is asked: %s", async (html, reason) => {
  await expect(runBench(["serve", "http://127.0.0.1:1", "--html", html], {})).rejects.toMatchObject({
    code: "invalid_argument",
    field: "html",
    message: expect.stringContaining(reason),
  });
});
