import type { Addresses } from "../up/supervised.ts";

export type ScreenRow = Readonly<{ name: string; pid: number | undefined; addresses: Addresses }>;

/** The one screen of `drover up`: where to ask (`url`, of the HTTP API), where requests wait, and what runs where. */
export function screen(
  facts: Readonly<{
    modelName: string;
    queue: string;
    url: string;
    grpc: string;
    secretFile: string;
    rows: readonly ScreenRow[];
  }>,
): string {
  const table = facts.rows.map((row) => [
    row.name,
    row.pid === undefined ? "-" : String(row.pid),
    Object.entries(row.addresses)
      .map(([kind, address]) => `${kind} ${address}`)
      .join("   "),
  ]);
  const head = ["process", "pid", "addresses"];
  const widths = [0, 1].map((column) => Math.max(...[head, ...table].map((row) => (row[column] ?? "").length)));
  const lines = [head, ...table].map(([name = "", pid = "", addresses = ""]) =>
    `  ${name.padEnd(widths[0] ?? 0)}   ${pid.padEnd(widths[1] ?? 0)}   ${addresses}`.trimEnd(),
  );
  const body = `{"model": "${facts.modelName}", "messages": [{"role": "user", "content": "What is the capital of France?"}]}`;
  return `
Drover serves ${facts.modelName}.

  OpenAI API   ${facts.url}/v1
  gRPC API     ${facts.grpc}
  metrics      ${facts.url}/metrics
  queue        ${facts.queue}
  secret       ${facts.secretFile}

${lines.join("\n")}

Try it:   bin/drover chat --url ${facts.url}
          curl ${facts.url}/v1/chat/completions -H 'content-type: application/json' \\
            -d '${body}'
Ctrl-C ends everything.
`;
}
