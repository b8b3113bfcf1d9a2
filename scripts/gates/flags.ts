import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Gate, type GateResult, runTool } from "./gate.ts";

const MAIN = "apps/drover/src/main.ts";
const PAGE = "docs/configuration.md";

/**
 * `docs/configuration.md` has a section for each command, with each of its flags and no other. A flag of several commands may be described in a
 * section of its own in place of theirs; a flag of another command is named with it (`drover up --model`).
 */
export const flags: Gate = {
  name: "flags",
  remedy: `Describe in ${PAGE} what --help shows, in the section "## drover COMMAND", and take out what is no flag any more.`,
  check,
};

/** Where a flag stands on the page; `command` is undefined in sections that several commands share. */
type Mention = Readonly<{ command: string | undefined; flag: string; section: string }>;

async function check(root: string): Promise<GateResult> {
  const page = existsSync(join(root, PAGE)) ? readFileSync(join(root, PAGE), "utf8") : "";
  const mentions = sectionsOf(page).flatMap(mentionsIn);
  const commands = new Map<string, ReadonlySet<string>>();
  for (const name of commandsIn(await help(root, []))) commands.set(name, flagsIn(await help(root, [name])));
  const findings = [...undescribed(mentions, commands), ...unknown(mentions, commands)];
  return { ok: findings.length === 0, output: findings.join("\n") };
}

async function help(root: string, command: readonly string[]): Promise<string> {
  const args = ["--conditions=@drover/source", MAIN, ...command, "--help"];
  const { ok, output } = await runTool("node", args, root, { NODE_COMPILE_CACHE: join(root, ".cache/compile") });
  if (!ok) throw new Error(`drover ${command} --help fails:\n${output}`);
  return output;
}

const commandsIn = (text: string): string[] => {
  const [, list = ""] = text.split("Commands:\n");
  return [...list.matchAll(/^ {2}([a-z]+) /gm)].flatMap(([, name]) => name ?? []);
};

const flagsIn = (text: string): ReadonlySet<string> =>
  new Set([...text.matchAll(/^ {2}(--[a-z0-9-]+)/gm)].flatMap(([, flag]) => flag ?? []));

const sectionsOf = (page: string): string[] => page.split(/^## /m);

/** All flags that stand in code within a section: of the command before them, else of the command that heads the section. */
function mentionsIn(text: string): Mention[] {
  const [section = ""] = text.split("\n");
  const heading = /^drover ([a-z]+)$/.exec(section)?.[1];
  const code = [...text.matchAll(/```[\s\S]*?```|`[^`\n]+`/g)].flatMap(([span]) => span.split("\n"));
  return code.flatMap((line) => {
    const command = /drover ([a-z]+) /.exec(line)?.[1] ?? heading;
    return [...line.matchAll(/--[a-z][a-z0-9-]*/g)].map(([flag]) => ({ command, flag, section }));
  });
}

type Commands = ReadonlyMap<string, ReadonlySet<string>>;

function undescribed(mentions: readonly Mention[], commands: Commands): string[] {
  return [...commands].flatMap(([name, own]) =>
    [...own]
      .filter((flag) => !mentions.some((one) => isOf(one, flag) && (one.command ?? name) === name))
      .map((flag) => `${PAGE} does not describe drover ${name} ${flag}`),
  );
}

function unknown(mentions: readonly Mention[], commands: Commands): string[] {
  return mentions.flatMap(({ command, flag, section }) => {
    const known = command === undefined ? [...commands.values()] : [commands.get(command) ?? new Set()];
    const isKnown = known.some((own) => [...own].some((one) => isOf({ flag }, one)));
    return isKnown ? [] : `${PAGE}, "${section}": drover ${command ?? "COMMAND"} has no ${flag}`;
  });
}

/** `--no-verbose` speaks of `--verbose`. */
const isOf = (mention: Readonly<{ flag: string }>, flag: string): boolean =>
  mention.flag === flag || mention.flag.replace(/^--no-/, "--") === flag;
