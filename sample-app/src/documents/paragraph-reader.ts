import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { Injectable } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import type { Environment } from '../environment.js';

export interface Paragraph {
  /** Follows from where and what it is, so that ingesting it again replaces it. */
  id: string;
  /** npm package. */
  package: string;
  /** Path in the package. */
  file: string;
  text: string;
}

const MIN_LENGTH = 80;
const MAX_LENGTH = 1000;
const NOT_DOCUMENTATION =
  /^(change|history|release|licen[cs]e|security|contributing|code_of_conduct|authors)/i;

/** Reads the documentation of the packages in node_modules, as paragraphs. */
@Injectable()
export class ParagraphReader {
  constructor(private readonly config: ConfigService<Environment, true>) {}

  /** Always in the same order, a few of each package before more of any, so that a limit leaves no package out. */
  async read(): Promise<Paragraph[]> {
    const folder = this.config.get('CORPUS_FOLDER', { infer: true });
    const limit = this.config.get('CORPUS_LIMIT', { infer: true });
    const byPackage = new Map<string, Paragraph[]>();
    const seen = new Set<string>();
    for (const path of await markdownFiles(folder)) {
      const origin = originOf(relative(folder, path));
      const paragraphs = byPackage.get(origin.package) ?? [];
      byPackage.set(origin.package, paragraphs);
      for (const text of splitIntoParagraphs(await readFile(path, 'utf8'))) {
        if (seen.has(text)) continue;
        seen.add(text);
        const id = createHash('sha256')
          .update(`${origin.package}\0${origin.file}\0${text}`)
          .digest('hex')
          .slice(0, 32);
        paragraphs.push({ id, ...origin, text });
      }
    }
    return takeInTurn([...byPackage.values()], limit);
  }
}

async function markdownFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  const files: string[] = [];
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) files.push(...(await markdownFiles(path)));
    else if (/\.md$/i.test(entry.name) && !NOT_DOCUMENTATION.test(entry.name)) files.push(path);
  }
  return files;
}

function originOf(path: string): Pick<Paragraph, 'package' | 'file'> {
  // A package may bring packages of its own: what counts is what follows the last node_modules.
  const inner = path.split(`node_modules${sep}`).at(-1)!.split(sep);
  const nameLength = inner[0]!.startsWith('@') ? 2 : 1;
  return { package: inner.slice(0, nameLength).join('/'), file: inner.slice(nameLength).join('/') };
}

/** Prose only: no code, tables, headings, badges or HTML. */
function splitIntoParagraphs(markdown: string): string[] {
  return markdown
    .replace(/\r/g, '')
    .replace(/^ *(```|~~~)[\s\S]*?^ *\1/gm, '')
    .split(/\n\s*\n/)
    .filter(block => !/^(#|\||<|\[[^\]]+\]:| {4}|\t)/.test(block))
    .map(toPlainText)
    .filter(text => text.length >= MIN_LENGTH && text.length <= MAX_LENGTH);
}

function toPlainText(block: string): string {
  return block
    .replace(/!\[[^\]]*\](\([^)]*\)|\[[^\]]*\])/g, '')
    .replace(/\[([^\]]+)\](\([^)]*\)|\[[^\]]*\])/g, '$1')
    .replace(/<[^>]*>/g, '')
    .replace(/[*_]{2,}|^[>*-]+ /gm, '')
    .replace(/\s+/g, ' ')
    .trim();
}

function takeInTurn<Item>(lists: Item[][], limit: number): Item[] {
  const taken: Item[] = [];
  for (let round = 0; taken.length < limit; round++) {
    const items = lists.flatMap(list => list.slice(round, round + 1));
    if (items.length === 0) break;
    taken.push(...items.slice(0, limit - taken.length));
  }
  return taken;
}
