import { Injectable } from '@nestjs/common';

export const EMBEDDING_DIMENSION = 768;

const NGRAM_LENGTHS = [3, 4, 5];

/**
 * Turns text into a vector without a model and without a download: hashed character n-grams. Texts that share parts
 * of words lie close together, typing errors included; that words of other letters may mean the same it cannot know.
 * An application would ask its embedding model here.
 */
@Injectable()
export class EmbeddingService {
  embed(text: string): number[] {
    const vector = new Array<number>(EMBEDDING_DIMENSION).fill(0);
    for (const [ngram, count] of countNgrams(text)) {
      const hash = fnv1a(ngram);
      // One bit of the hash is the sign, so that n-grams which share a dimension cancel out instead of adding up.
      const sign = hash & 1 ? 1 : -1;
      const dimension = (hash >>> 1) % EMBEDDING_DIMENSION;
      vector[dimension]! += sign * (1 + Math.log(count));
    }
    return normalise(vector);
  }
}

function countNgrams(text: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const word of text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []) {
    const bounded = ` ${word} `;
    for (const length of NGRAM_LENGTHS) {
      for (let start = 0; start + length <= bounded.length; start++) {
        const ngram = bounded.slice(start, start + length);
        counts.set(ngram, (counts.get(ngram) ?? 0) + 1);
      }
    }
  }
  return counts;
}

function normalise(vector: number[]): number[] {
  const length = Math.hypot(...vector);
  return length === 0 ? vector : vector.map(value => value / length);
}

function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  // FNV leaves its low bits, which are used here, poorly mixed for short texts.
  return (hash ^ (hash >>> 15)) >>> 0;
}
