import { extname } from "node:path";

/** What a person may mean by a line. */
export type ChatLine =
  | Readonly<{ kind: "nothing" }>
  | Readonly<{ kind: "question"; text: string; pictures: readonly string[] }>
  | Readonly<{ kind: "command"; name: string; argument: string }>;

const PICTURE_ENDINGS = [".png", ".jpg", ".jpeg", ".webp", ".gif"];

/**
 * Reads a line: `/name argument` is a command, and `//` begins a question that begins with a slash. Paths of pictures, as a terminal writes a file that is
 * dropped on it, are pictures where `isFile` says that they are files, and are taken out of the question.
 */
export function readChatLine(line: string, isFile: (path: string) => boolean): ChatLine {
  const text = line.trim();
  if (text === "") return { kind: "nothing" };
  if (text.startsWith("//")) return { kind: "question", text: text.slice(1), pictures: [] };
  const pictures: string[] = [];
  const rest = text.replace(WORD, (word, double?: string, single?: string) => {
    const path = (double ?? single ?? word).replace(/\\(.)/g, "$1");
    if (!PICTURE_ENDINGS.includes(extname(path).toLowerCase()) || !isFile(path)) return word;
    pictures.push(path);
    return "";
  });
  if (pictures.length > 0 && !/^\/(image)\b/.test(text)) return { kind: "question", text: rest.trim(), pictures };
  const [, name, argument] = /^\/(\S+)\s*(.*)$/s.exec(text) ?? [];
  if (name !== undefined && argument !== undefined) return { kind: "command", name, argument: argument.trim() };
  return { kind: "question", text: line, pictures: [] };
}

/** A word of a shell's: quoted, or with backslashes before its spaces. */
const WORD = /"([^"]+)"|'([^']+)'|(?:\\.|[^\s"'\\])+/g;
