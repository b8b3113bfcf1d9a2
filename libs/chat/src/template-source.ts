/** A checkpoint's templates and their variables: plain data, which can be sent to another thread. */
export type TemplateSource = Readonly<{
  /** By name; `default` is used where no other fits. */
  templates: ReadonlyMap<string, string>;
  /** Variables that the checkpoint gives them, such as `bos_token`. */
  variables: Readonly<Record<string, string>>;
}>;

export const DEFAULT_TEMPLATE = "default";

/** Used for requests with tools, where a checkpoint has it. */
export const TOOL_TEMPLATE = "tool_use";
