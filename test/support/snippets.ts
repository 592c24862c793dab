import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A block of code in a page, with the name that stands in a comment above it. */
export interface Snippet {
  name?: string;
  language: string;
  text: string;
}

export function snippetsOf(markdown: string): Snippet[] {
  return [...markdown.matchAll(/(?:<!-- (\S+) -->\n)?```(\w+)\n([\s\S]*?)\n```/g)].map(
    ([, name, language, text]) => ({ name, language: language!, text: text! }),
  );
}

/** The regions of the files in a folder, by name: the code that pages show, and that runs. */
export function regionsIn(folder: string): Map<string, string> {
  const found = readdirSync(folder).flatMap(file => [
    ...readFileSync(join(folder, file), 'utf8').matchAll(
      /\/\/ #region (\S+)\n([\s\S]*?)\n\s*\/\/ #endregion/g,
    ),
  ]);
  return new Map(found.map(([, name, text]) => [name!, text!]));
}

/** The snippets of a page that should be TypeScript or JavaScript which runs, beside what runs. */
export function codeBesideRegions(markdown: string, folder: string): Array<[shown: Snippet, runs?: string]> {
  const running = regionsIn(folder);
  const code = snippetsOf(markdown).filter(({ language }) => language === 'ts' || language === 'js');
  return code.map(shown => [shown, running.get(shown.name ?? '')]);
}
