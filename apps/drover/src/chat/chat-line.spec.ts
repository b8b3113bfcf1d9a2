import { describe, expect, it } from "vitest";
import { readChatLine } from "./chat-line.ts";

const files = new Set(["/a/cat.png", "my cat.JPG", "notes.txt"]);
const read = (line: string) => readChatLine(line, (path) => files.has(path));
const question = (text: string, ...pictures: string[]) => ({ kind: "question", text, pictures });

describe("a line of a chat", () => {
  it("is a question as it was written, unless it begins with a slash", () => {
    expect(read("What is 1/2? ")).toEqual(question("What is 1/2? "));
    expect(read("  ")).toEqual({ kind: "nothing" });
    expect(read("//etc is a folder")).toEqual(question("/etc is a folder"));
  });

  it("is a command with all that follows its name", () => {
    expect(read("/set temperature 0.5")).toEqual({ kind: "command", name: "set", argument: "temperature 0.5" });
    expect(read(" /help ")).toEqual({ kind: "command", name: "help", argument: "" });
    expect(read("/image /a/cat.png")).toEqual({ kind: "command", name: "image", argument: "/a/cat.png" });
    expect(read("/nothing")).toEqual({ kind: "command", name: "nothing", argument: "" });
  });

  it("shows the pictures that are dropped on it, however the terminal quotes them", () => {
    expect(read("/a/cat.png What is this?")).toEqual(question("What is this?", "/a/cat.png"));
    expect(read("Look: 'my cat.JPG'")).toEqual(question("Look:", "my cat.JPG"));
    expect(read("my\\ cat.JPG")).toEqual(question("", "my cat.JPG"));
    expect(read("What is none.png and notes.txt?")).toEqual(question("What is none.png and notes.txt?"));
  });
});
