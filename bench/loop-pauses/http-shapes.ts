import { brotliCompressSync, gzipSync } from "node:zlib";
import type { TestCluster } from "../../tests/e2e/test-cluster.ts";
import { metadataRepeated, replies, small, toolsRepeated } from "./asking-shapes.ts";
import { http, type Shape, size, statusOf } from "./shape.ts";

const CHAT = "/v1/chat/completions";

/** Texts of JSON, again and again, until so many bytes are full. */
type Filler = (head: string, piece: string, tail: string) => string;

/** Bodies of so many bytes, and small ones that ask for much. */
export function httpShapes(byteCount: number): Shape[] {
  const fill: Filler = (head, piece, tail) =>
    head + piece.repeat(Math.floor((byteCount - head.length - tail.length) / Buffer.byteLength(piece))) + tail;
  return [
    ...values(fill),
    ...histories(fill),
    ...options(fill),
    ...completions(fill),
    ...otherRoutes(fill),
    ...packedBodies(byteCount),
    ...small(),
    ...replies(),
  ];
}

/** JSON of every form in a field that nobody knows, and in fields that somebody reads. */
function values(fill: Filler): Shape[] {
  const inField = (name: string, field: string, piece: string, last: string, open = "[", close = "]") =>
    http(
      name,
      CHAT,
      fill(
        `{"model":"nano","max_tokens":1,"messages":[{"role":"user","content":"x"}],"${field}":${open}`,
        piece,
        `${last}${close}}`,
      ),
    );
  return [
    inField("numbers", "x", "1.0,", "1"),
    inField("numbers beside tools", "tools", "1.0,", "1"),
    inField("one number of many digits", "x", "7", "1", "", ""),
    inField("numbers of many digits", "x", "0.12345678901234567890123456789012345678901234567890,", "1"),
    inField("empty lists", "x", "[],", "[]"),
    inField("lists within lists", "x", "[", ""),
    inField("objects within objects", "x", '{"a":', "1", "", ""),
    inField("empty objects", "x", "{},", "{}"),
    inField("short strings", "x", '"a",', '"a"'),
    inField("one key many times", "x", '"a":1,', '"b":1', "{", "}"),
    inField("escapes", "x", "\\u0041", "", '"', '"'),
    inField("surrogates", "x", "\\ud83d", "", '"', '"'),
    inField("white space", "x", " ", "1", "", ""),
    inField("what is no JSON", "x", "a ", "", '"', ""),
    http("bytes that are no UTF-8", CHAT, Buffer.alloc(fill("", "x", "").length, 0xff)),
  ];
}

const chatOf = (fill: Filler) => (name: string, head: string, piece: string, tail: string) =>
  http(name, CHAT, fill(head, piece, tail));

function histories(fill: Filler): Shape[] {
  const chat = chatOf(fill);
  const message = '{"role":"user","content":"hello there, what is it?"},';
  return [
    chat("messages", '{"model":"nano","messages":[', message, `${message.slice(0, -1)}]}`),
    chat("one long message", '{"model":"nano","messages":[{"role":"user","content":"', "a b c ", '"}]}'),
    chat("one long message of one letter", '{"model":"nano","messages":[{"role":"user","content":"', "a", '"}]}'),
    chat("one long message of Thai", '{"model":"nano","messages":[{"role":"user","content":"', "สวัสดี", '"}]}'),
    chat(
      "parts",
      '{"model":"nano","messages":[{"role":"user","content":[',
      '{"type":"text","text":"a"},',
      '{"type":"text","text":"a"}]}]}',
    ),
    chat(
      "calls in history",
      '{"model":"nano","messages":[{"role":"assistant","tool_calls":[',
      '{"id":"1","function":{"name":"f","arguments":"{}"}},',
      '{"id":"1","function":{"name":"f","arguments":"{}"}}]}]}',
    ),
    chat(
      "arguments of a call in history",
      '{"model":"nano","messages":[{"role":"assistant","tool_calls":[{"id":"1","function":{"name":"f","arguments":"',
      "[1,",
      '"}}]}]}',
    ),
    chat("a long name of a model", '{"messages":[{"role":"user","content":"x"}],"model":"', "nano", '"}'),
    chat(
      "a picture",
      '{"model":"nano","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,',
      "iVBORw0K",
      '"}}]}]}',
    ),
    chat(
      "pictures",
      '{"model":"nano","messages":[{"role":"user","content":[',
      '{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0K"}},',
      '{"type":"text","text":"a"}]}]}',
    ),
  ];
}

function options(fill: Filler): Shape[] {
  const chat = chatOf(fill);
  const asked = '{"model":"nano","max_tokens":1,"messages":[{"role":"user","content":"x"}],';
  return [
    chat(
      "tools",
      `${asked}"tools":[`,
      '{"type":"function","function":{"name":"f"}},',
      '{"type":"function","function":{"name":"g"}}]}',
    ),
    chat(
      "one tool of a long description",
      `${asked}"tools":[{"type":"function","function":{"name":"f","description":"`,
      "a b c ",
      '"}}]}',
    ),
    chat("stop strings", `${asked}"stop":[`, '"abc",', '"abd"]}'),
    chat("one long stop string", `${asked}"stop":"`, "a b c ", '"}'),
    chat("a bias for many tokens", `${asked}"logit_bias":{`, '"17":1,', '"18":1}}'),
    chat("banned words", `${asked}"bad_words":[`, '"abc",', '"abd"]}'),
    chat("allowed tokens", `${asked}"allowed_token_ids":[`, "17,", "18]}"),
    chat("a long name of a user", `${asked}"user":"`, "a b c ", '"}'),
    chat(
      "a schema of many properties",
      `${asked}"response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{"type":"object","required":[`,
      '"abc",',
      '"a"]}}}}',
    ),
    chat("many choices of an answer", `${asked}"structured_outputs":{"choice":[`, '"abc",', '"abd"]}}'),
    chat("one long pattern", `${asked}"structured_outputs":{"regex":"`, "(a|b)", '"}}'),
    chat("one long grammar", `${asked}"structured_outputs":{"grammar":"root ::= `, "x | ", 'x"}}'),
  ];
}

function completions(fill: Filler): Shape[] {
  return [
    http("token ids", "/v1/completions", fill('{"model":"nano","max_tokens":1,"prompt":[', "17,", "1]}")),
    http(
      "token ids that fit",
      "/v1/completions",
      `{"model":"nano","max_tokens":1,"prompt":[${"17,".repeat(30_000)}1]}`,
    ),
    http("prompts", "/v1/completions", fill('{"model":"nano","max_tokens":1,"prompt":[', '"a",', '"b"]}')),
    http("prompts of ids", "/v1/completions", fill('{"model":"nano","max_tokens":1,"prompt":[', "[17],", "[18]]}")),
    http(
      "a long prompt that is repeated",
      "/v1/completions",
      fill('{"model":"nano","max_tokens":0,"echo":true,"prompt":"', "a b ", '"}'),
    ),
    http(
      "a long prompt with special tokens",
      "/v1/completions",
      fill('{"model":"nano","max_tokens":0,"parse_special":true,"prompt":"', "<|eot|>", '"}'),
    ),
    http(
      "a prompt of which the end is read",
      "/v1/completions",
      fill('{"model":"nano","max_tokens":1,"truncate_prompt_tokens":5,"echo":true,"prompt":[', "17,", "1]}"),
    ),
  ];
}

function otherRoutes(fill: Filler): Shape[] {
  const item = '{"role":"user","content":"hello"},';
  const tool = '{"name":"f","input_schema":{"type":"object"}},';
  return [
    http(
      "items of Responses",
      "/v1/responses",
      fill('{"model":"nano","max_output_tokens":16,"input":[', item, `${item.slice(0, -1)}]}`),
    ),
    http(
      "instructions of Responses",
      "/v1/responses",
      fill('{"model":"nano","input":"x","instructions":"', "a b ", '"}'),
    ),
    http(
      "a long name of a response",
      "/v1/responses",
      fill('{"model":"nano","input":"x","previous_response_id":"', "a", '"}'),
    ),
    http(
      "turns of Messages",
      "/v1/messages",
      fill('{"model":"nano","max_tokens":1,"messages":[', item, `${item.slice(0, -1)}]}`),
    ),
    http(
      "tools of Messages",
      "/v1/messages",
      fill(
        '{"model":"nano","max_tokens":1,"messages":[{"role":"user","content":"a"}],"tools":[',
        tool,
        `${tool.slice(0, -1)}]}`,
      ),
    ),
    http(
      "a prompt of Messages",
      "/v1/messages",
      fill('{"model":"nano","max_tokens":1,"messages":[{"role":"user","content":"', "a b ", '"}]}'),
    ),
    http(
      "tokens of Messages to count",
      "/v1/messages/count_tokens",
      fill('{"model":"nano","messages":[{"role":"user","content":"', "a b ", '"}]}'),
    ),
    http("a prompt to tokenize", "/tokenize", fill('{"model":"nano","prompt":"', "a b c ", '"}')),
    http(
      "a prompt to tokenize into texts",
      "/tokenize",
      fill('{"model":"nano","return_token_strs":true,"prompt":"', "a b c ", '"}'),
    ),
    http("messages to tokenize", "/tokenize", fill('{"model":"nano","messages":[', item, `${item.slice(0, -1)}]}`)),
    http("ids to text", "/detokenize", fill('{"model":"nano","tokens":[', "17,", "1]}")),
    file("a file of one line", fill("", "a b c ", "")),
    file("a file of many lines", fill("", '{"custom_id":"a"}\n', "")),
    http("tools of Responses that are repeated", "/v1/responses", toolsRepeated()),
    http("metadata of Responses", "/v1/responses", metadataRepeated()),
  ];
}

/** What was packed by the sender and takes little until it is unpacked. */
function packedBodies(byteCount: number): Shape[] {
  const body = `{"model":"nano","max_tokens":1,"messages":[{"role":"user","content":"x"}],"x":"${"a".repeat(byteCount - 200)}"}`;
  return [
    http("a body packed by gzip", CHAT, gzipSync(body), { "content-encoding": "gzip" }),
    http("a body packed by brotli", CHAT, brotliCompressSync(body), { "content-encoding": "br" }),
  ];
}

function file(name: string, text: string): Shape {
  const send = ({ url }: TestCluster) => {
    const form = new FormData();
    form.set("purpose", "batch");
    form.set("file", new Blob([text]), "a.jsonl");
    return statusOf(fetch(`${url}/v1/files`, { method: "POST", body: form }));
  };
  return { name: `/v1/files: ${name}, ${size(text.length)}`, send };
}
