/** Adds whole strings to a `tokenizer.json` as tokens that are matched before everything else. */
import type { JsonObject } from './json-file.ts'

interface AddedToken {
  readonly id: number
  readonly content: string
}

/** A copy of the tokenizer with `contents` as ordinary (not special) added tokens from `firstId` on. */
export function addTokens(
  tokenizer: JsonObject,
  contents: readonly string[],
  firstId: number,
): JsonObject {
  const known = (tokenizer.added_tokens ?? []) as readonly AddedToken[]
  const fresh = contents.map((content, i) => ({
    id: firstId + i,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: false,
  }))
  return { ...tokenizer, added_tokens: [...known, ...fresh] }
}
