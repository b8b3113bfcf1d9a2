import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import ts from "typescript";

/** Node 20 knows all of ES2023's syntax; what is newer (`using`) is written out. */
const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.ESNext,
  verbatimModuleSyntax: true,
  removeComments: true,
};

export type Transpiled = Readonly<{
  code: string;
  /** Sources that this one names, absolute. */
  named: readonly string[];
  /** Those of them that it starts as programs of their own (`new URL("./x.ts", import.meta.url)`). */
  programs: readonly string[];
}>;

/**
 * One source as JavaScript for Node 20. Every text in it that names another source relatively (imports, threads' programs, mains) names the
 * JavaScript of it instead. Throws when the source does not parse.
 */
export function transpile(file: string, source: string): Transpiled {
  const named: string[] = [];
  const programs: string[] = [];
  const renameSources: ts.TransformerFactory<ts.SourceFile> = (context) => (root) => {
    const visit = (node: ts.Node): ts.Node => {
      if (ts.isStringLiteral(node) && isSourceBeside(file, node.text)) {
        const path = resolve(dirname(file), node.text);
        named.push(path);
        if (ts.isNewExpression(node.parent)) programs.push(path);
        return context.factory.createStringLiteral(node.text.replace(/\.ts$/, ".js"));
      }
      return ts.visitEachChild(node, visit, context);
    };
    return ts.visitEachChild(root, visit, context);
  };
  const { outputText, diagnostics = [] } = ts.transpileModule(source, {
    compilerOptions: OPTIONS,
    fileName: file,
    reportDiagnostics: true,
    transformers: { before: [renameSources] },
  });
  const [problem] = diagnostics;
  if (problem !== undefined) throw new Error(`${file}: ${ts.flattenDiagnosticMessageText(problem.messageText, " ")}`);
  return { code: outputText, named, programs };
}

function isSourceBeside(file: string, text: string): boolean {
  return /^\.\.?\/.*\.ts$/.test(text) && existsSync(resolve(dirname(file), text));
}
