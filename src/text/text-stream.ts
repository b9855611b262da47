/**
 * Streaming detokenisation: tokens in, text out, and the pieces joined equal `decode` of all tokens.
 * Decoders are not local (a character may span tokens; sentencepiece-like decoders drop the first space of a
 * whole text), so a window of earlier tokens is decoded along and only what is new comes out.
 */
import type { Tokenizer } from './tokenizer.ts'

export interface TextStream {
  /** The text that this token completes; '' while a character is incomplete. */
  push(id: number): string
  /** What is still held back: the replacement character of an incomplete one, or ''. */
  flush(): string
}

/** Tokens kept before the new text; a UTF-8 character has at most 4 bytes, hence at most 4 tokens. */
const keptTokens = 8
const maxWindowTokens = 32

/**
 * `context`: the tokens before the stream, when its text continues theirs (a completion of a prompt);
 * without it, the text starts afresh (a chat reply). Special tokens are skipped by default.
 */
export function createTextStream(
  tokenizer: Pick<Tokenizer, 'decode' | 'isSpecial'>,
  options: { skipSpecialTokens?: boolean; context?: readonly number[] } = {},
): TextStream {
  const { skipSpecialTokens = true, context = [] } = options
  const decode = (ids: readonly number[]): string => tokenizer.decode(ids, { skipSpecialTokens })
  const shown = (id: number): boolean => !(skipSpecialTokens && tokenizer.isSpecial(id))

  let window = context.filter(shown).slice(-keptTokens)
  // Characters of the window's text that are out; an unfinished one at its end is not.
  let emitted = decode(window).replace(/\ufffd$/, '').length

  /** Keeps the last tokens only; `heldBack` characters of their text are not out yet. */
  const trimWindow = (heldBack: number): void => {
    window = window.slice(-keptTokens)
    emitted = Math.max(0, decode(window).length - heldBack)
  }

  return {
    push(id) {
      if (!shown(id)) return ''
      window.push(id)
      const text = decode(window)
      // An unfinished character decodes to one replacement character at the very end.
      const heldBack = text.endsWith('\ufffd') ? 1 : 0
      const piece = text.slice(emitted, text.length - heldBack)
      emitted += piece.length
      if (window.length >= maxWindowTokens) trimWindow(heldBack)
      return piece
    },
    flush() {
      const piece = decode(window).slice(emitted)
      emitted += piece.length
      return piece
    },
  }
}
