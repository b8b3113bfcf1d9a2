import { isIP } from "node:net";
import { parseSentinelUrl } from "@drover/core";

/** What a worker computes with. */
const DEVICE = /^(?:cpu|auto|cuda:\d{1,3})$/;

/** What a text must look like for some flags, so that what can never work is said at once and not tried for ever. */
const FORMS = {
  address: { isOne: isAddress, problem: "must be HOST:PORT, such as 127.0.0.1:50052" },
  url: {
    isOne: (text: string) => isUrl(text, ["http:", "https:"]),
    problem: "must be a URL such as http://127.0.0.1:8080",
  },
  queue: {
    isOne: (text: string) =>
      text === "scheduler" || isUrl(text, ["redis:", "rediss:"]) || parseSentinelUrl(text) !== undefined,
    problem: "must be scheduler or a URL such as redis://127.0.0.1:6379 or redis+sentinel://HOST:PORT,HOST:PORT/NAME",
  },
  host: { isOne: isHost, problem: "must be a host's name or address, without a port" },
  device: {
    isOne: (text: string) => DEVICE.test(text),
    problem: "must be cpu, auto or cuda:N, such as cuda:0",
  },
  devices: {
    isOne: (text: string) => text === "all" || DEVICE.test(text),
    problem: "must be cpu, auto, all or cuda:N, such as cuda:0",
  },
  cards: { isOne: (text: string) => /^(?:all|[1-9]\d{0,2})$/.test(text), problem: "must be all, or a number of cards" },
  origin: {
    isOne: (text: string) => text === "*" || /^(?:null|[a-z][a-z0-9+.-]*:\/\/[^/?#\s,]+)$/.test(text),
    problem: "must be origins such as https://app.example, with nothing behind the host, or *",
  },
  name: {
    isOne: (text: string) => /^[A-Za-z0-9][A-Za-z0-9._@/-]{0,199}$/.test(text),
    problem: "must begin with a letter or digit and have only letters, digits and . _ @ / -",
  },
} as const;

/** The forms that texts of flags may have to be in. */
export type TextForm = keyof typeof FORMS;

/** What is wrong with a text that must be of this form; undefined for one that is. It never repeats the text: a URL may hold a password. */
export function formProblem(form: TextForm | undefined, text: string): string | undefined {
  return form === undefined || FORMS[form].isOne(text) ? undefined : FORMS[form].problem;
}

function isAddress(text: string): boolean {
  const [, host = "", port = ""] = /^(.+):(\d{1,5})$/.exec(text) ?? [];
  const isBare = host.includes(":") && !host.startsWith("[");
  return host !== "" && !isBare && !/[\s/@]/.test(host) && Number(port) >= 1 && Number(port) <= 65_535;
}

function isHost(text: string): boolean {
  return isIP(text.replace(/^\[(.*)\]$/, "$1")) !== 0 || /^[^\s/:]+$/.test(text);
}

function isUrl(text: string, protocols: readonly string[]): boolean {
  if (!URL.canParse(text) || /\s/.test(text)) return false;
  const { protocol, hostname } = new URL(text);
  return protocols.includes(protocol) && hostname !== "";
}
