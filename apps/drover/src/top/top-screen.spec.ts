import { describe, expect, it } from "vitest";
import { TopScreen } from "./top-screen.ts";

function terminal(isTTY: boolean) {
  let text = "";
  const write = (more: string) => {
    text += more;
  };
  return { output: { write, isTTY, columns: 5, rows: 2 }, text: () => text };
}

describe("TopScreen", () => {
  it("on a terminal, a page is shown in place and cut to its size with a sign, and the terminal comes back", () => {
    const { output, text } = terminal(true);
    {
      using screen = new TopScreen(output);
      screen.show(["first line", "second", "third"]);
      expect(text()).toContain("firs…");
      expect(text()).not.toContain("third");
      expect(text()).toContain("… 2 …");
    }
    expect(text().endsWith("\u001b[?1049l")).toBe(true);
  });

  it("what other processes call themselves moves no cursor", () => {
    const { output, text } = terminal(true);
    new TopScreen(output).show(["a\u001b[2"]);
    expect(text()).toContain("a?[2");
  });

  it("elsewhere, pages follow each other in plain text", () => {
    const { output, text } = terminal(false);
    const screen = new TopScreen(output);
    screen.show(["a long first line"]);
    screen.show(["b"]);
    expect(text()).toBe("a long first line\n\nb\n");
  });
});
