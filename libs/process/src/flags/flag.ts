import type { TextForm } from "./text-forms.ts";

/**
 * What every flag has: a sentence for `--help`, the word that stands for its value there (`DIR`, `N`), and its name in the environment where
 * that is not made of its own.
 */
type Described = Readonly<{ help: string; valueName?: string; variable?: string }>;

type StringFlag = Described & Readonly<{ kind: "string"; default?: string; required?: true; form?: TextForm }>;
type IntegerFlag = Described &
  Readonly<{ kind: "integer"; default?: number; required?: true; min?: number; max?: number }>;
type NumberFlag = Described &
  Readonly<{ kind: "number"; default?: number; required?: true; min?: number; max?: number }>;
/** Bytes: `512MiB`, `2GB`, `4096`. With `auto` the word itself is a value too: whoever reads it measures. */
type SizeFlag = Described &
  Readonly<{ kind: "size"; default?: number | string; required?: true; min?: number; max?: number; auto?: true }>;
/** Milliseconds: `10s`, `250ms`, `1.5m`, `2h`; a bare number is milliseconds. At most what a timer can wait for, where no `max` says otherwise. */
type DurationFlag = Described &
  Readonly<{ kind: "duration"; default?: number | string; required?: true; min?: number; max?: number }>;
/** `--flag`, `--no-flag`, `--flag=true`; false when absent. */
type BooleanFlag = Described & Readonly<{ kind: "boolean"; default?: boolean }>;
/** Comma-separated, and the flag may be repeated; empty when absent. With `choices`, only those. */
type ListFlag = Described &
  Readonly<{
    kind: "list";
    default?: readonly string[];
    required?: true;
    choices?: readonly string[];
    form?: TextForm;
  }>;
type ChoiceFlag = Described &
  Readonly<{ kind: "choice"; choices: readonly string[]; default?: string; required?: true }>;

export type Flag =
  | StringFlag
  | IntegerFlag
  | NumberFlag
  | SizeFlag
  | DurationFlag
  | BooleanFlag
  | ListFlag
  | ChoiceFlag;

/** Flags by their camelCase name: `httpPort` is `--http-port` and `DROVER_HTTP_PORT`. */
export type ConfigSpec = Readonly<Record<string, Flag>>;

type Value<F extends Flag> = F extends { kind: "string" }
  ? string
  : F extends { kind: "boolean" }
    ? boolean
    : F extends { kind: "list"; choices: infer C extends readonly string[] }
      ? readonly C[number][]
      : F extends { kind: "list" }
        ? readonly string[]
        : F extends { kind: "choice" }
          ? F["choices"][number]
          : F extends { kind: "size"; auto: true }
            ? number | "auto"
            : number;

type AlwaysThere = { default: unknown } | { required: true } | { kind: "boolean" } | { kind: "list" };

/** The parsed object of a spec: what has neither a default nor `required` may be undefined. */
export type Config<S extends ConfigSpec> = Readonly<{
  [K in keyof S]: S[K] extends AlwaysThere ? Value<S[K]> : Value<S[K]> | undefined;
}>;

/** Keeps a spec's literal types, from which those of the parsed object follow. */
export function defineConfig<const S extends ConfigSpec>(spec: S): S {
  return spec;
}

/** `httpPort` -> `http-port`. */
export const flagName = (key: string): string => key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** `httpPort` -> `DROVER_HTTP_PORT`, but for flags that have a variable of their own. */
export const environmentName = (key: string, flag?: Flag): string =>
  flag?.variable ?? `DROVER_${flagName(key).replaceAll("-", "_").toUpperCase()}`;
