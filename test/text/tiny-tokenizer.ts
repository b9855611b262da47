/** A byte-level BPE tokenizer of 256 bytes, three ChatML marks and optional merges, made in code for tests. */
import { createTokenizer, type Tokenizer } from '../../src/text/tokenizer.ts'

export const chatml =
  "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}" +
  '{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}'

/** GPT-2's printable character for every byte. */
function byteCharacters(): string[] {
  const printable = (b: number): boolean =>
    (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || (b >= 174 && b <= 255)
  let next = 256
  return Array.from({ length: 256 }, (_, b) => String.fromCharCode(printable(b) ? b : next++))
}

export interface TinyOptions {
  /** Pairs of tokens to merge, in rank order, in the byte characters (`Ġ` is a space, `Ċ` a line feed). */
  merges?: [string, string][]
  /** Special tokens; ids from 0. */
  special?: string[]
}

export const defaultSpecial = ['<|endoftext|>', '<|im_start|>', '<|im_end|>']

/** The content of a `tokenizer.json`: special tokens first, then the bytes, then the merged tokens. */
export function tinyTokenizerJson(options: TinyOptions = {}): Record<string, unknown> {
  const { merges = [], special = defaultSpecial } = options
  const tokens = [...special, ...byteCharacters(), ...merges.map(([a, b]) => a + b)]
  return {
    version: '1.0',
    added_tokens: special.map((content, id) => ({ id, content, special: true, normalized: false })),
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, use_regex: true },
    post_processor: null,
    decoder: { type: 'ByteLevel' },
    model: {
      type: 'BPE',
      unk_token: null,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
    },
  }
}

export function tinyTokenizer(options: TinyOptions = {}): Tokenizer {
  return createTokenizer(tinyTokenizerJson(options), {
    where: 'tiny',
    tokenizerConfig: { eos_token: '<|im_end|>', pad_token: { content: '<|endoftext|>' } },
  })
}

/** Merges over the boundaries that templates have: a colon and a digit, a line feed and a letter, … */
export const boundaryMerges: [string, string][] = [
  ['0', 'Ċ'],
  ['Ċ', 'H'],
  [':', '4'],
  ['Ċ', 'Ċ'],
  ['H', 'e'],
  ['l', 'l'],
  ['He', 'll'],
  ['.', 'Ċ'],
]
