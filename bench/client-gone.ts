import { TestCluster } from "../tests/e2e/test-cluster.ts";

/** How long the KV of eight streams stays in use after their clients have gone: milliseconds from the disconnect until it is zero. */
await using cluster = await TestCluster.start({});
const used = async () => {
  const worker = await cluster.askMember("attention-0", "GET /debug/worker");
  const { load } = (await worker.json()) as { load: { kvBytesUsed: number } };
  return load.kvBytesUsed;
};
const times: number[] = [];
for (let round = 0; round < 10; round++) {
  const gone = new AbortController();
  const body = { model: "nano", prompt: "one two three", max_tokens: 4000, ignore_eos: true, stream: true };
  const streams = await Promise.all(
    Array.from({ length: 8 }, () => cluster.post("/v1/completions", body, gone.signal)),
  );
  await Promise.all(streams.map((response) => response.body?.getReader().read()));
  if ((await used()) === 0) throw new Error("the streams hold no KV");
  const began = performance.now();
  gone.abort();
  while ((await used()) > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  times.push(performance.now() - began);
}
times.sort((a, b) => a - b);
console.log(
  `KV of 8 streams free after their clients left: median ${times[5]?.toFixed(0)} ms, most ${times.at(-1)?.toFixed(0)} ms, 10 rounds`,
);
