/**
 * Trains a byte-level BPE tokenizer (Sennrich et al., 2016; GPT-2's byte alphabet and word pattern) and
 * writes it as Hugging Face `tokenizer.json` and `tokenizer_config.json`. One departure from GPT-2:
 * digits never merge, so that every digit of a label line is a token of its own.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fail } from '../errors.ts'

/** Ids 0, 1, 2: padding and document separator, start of a turn, end of a turn. */
export const specialTokens = ['<|endoftext|>', '<|im_start|>', '<|im_end|>'] as const

export const chatMlTemplate =
  "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}" +
  '{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}'

export interface BpeModel {
  /** Token → id: special tokens, then the 256 bytes, then merged tokens in order of their merge. */
  readonly vocab: ReadonlyMap<string, number>
  readonly merges: readonly (readonly [left: string, right: string])[]
}

/** The pattern of the ByteLevel pre-tokenizer with `use_regex`. */
const wordPattern = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu

/** GPT-2's printable character for each byte. */
export const byteCharacters: readonly string[] = buildByteCharacters()

function buildByteCharacters(): string[] {
  let next = 256
  return Array.from({ length: 256 }, (_, byte) => {
    const printable =
      (byte >= 0x21 && byte <= 0x7e) ||
      (byte >= 0xa1 && byte <= 0xac) ||
      (byte >= 0xae && byte <= 0xff)
    return String.fromCodePoint(printable ? byte : next++)
  })
}

/** A distinct word of the corpus as token ids, how often it occurs. */
interface Word {
  ids: number[]
  readonly count: number
}

/** Pairs of neighbours: how often each occurs, and in which words it was ever seen. */
interface PairTable {
  readonly counts: Map<number, number>
  readonly words: Map<number, Set<number>>
}

/** Pair (left, right) as one number; ids stay below 2^20. */
const pairKey = (left: number, right: number): number => left * 0x100000 + right

/**
 * Learns merges until the vocabulary has `vocabSize` tokens, the most frequent pair first; of equally
 * frequent pairs the one with the lowest ids. Stops early when no pair occurs twice.
 */
export function trainBpe(texts: Iterable<string>, vocabSize: number): BpeModel {
  const alphabet = byteCharacters.toSorted((a, b) => a.codePointAt(0)! - b.codePointAt(0)!)
  const tokens: string[] = [...specialTokens, ...alphabet]
  if (vocabSize < tokens.length) {
    fail('BAD_ARGUMENT', `vocabulary size: expected at least ${tokens.length}, got ${vocabSize}`)
  }
  const words = collectWords(texts, new Map(tokens.map((token, id) => [token, id])))
  const table: PairTable = { counts: new Map(), words: new Map() }
  words.forEach((word, index) => countPairs(table, tokens, word, index, 1))
  const merges: [string, string][] = []
  while (tokens.length < vocabSize) {
    const best = mostFrequentPair(table.counts)
    if (best === undefined) break
    const [left, right] = [Math.floor(best / 0x100000), best % 0x100000]
    merges.push([tokens[left]!, tokens[right]!])
    const merged = tokens.push(tokens[left]! + tokens[right]!) - 1
    for (const index of [...table.words.get(best)!]) {
      const word = words[index]!
      countPairs(table, tokens, word, index, -1)
      word.ids = mergePair(word.ids, left, right, merged)
      countPairs(table, tokens, word, index, 1)
    }
    table.counts.delete(best)
    table.words.delete(best)
  }
  return { vocab: new Map(tokens.map((token, id) => [token, id])), merges }
}

function collectWords(texts: Iterable<string>, ids: ReadonlyMap<string, number>): Word[] {
  const counts = new Map<string, number>()
  for (const text of texts) {
    for (const [word] of text.matchAll(wordPattern)) counts.set(word, (counts.get(word) ?? 0) + 1)
  }
  const encoder = new TextEncoder()
  return [...counts].map(([word, count]) => ({
    ids: Array.from(encoder.encode(word), (byte) => ids.get(byteCharacters[byte]!)!),
    count,
  }))
}

/** Adds (`sign` 1) or takes back (−1) the pairs of one word. Pairs with a digit do not count. */
function countPairs(
  table: PairTable,
  tokens: readonly string[],
  word: Word,
  index: number,
  sign: 1 | -1,
): void {
  for (let i = 0; i + 1 < word.ids.length; i++) {
    const [left, right] = [word.ids[i]!, word.ids[i + 1]!]
    if (/\d/.test(tokens[left]! + tokens[right]!)) continue
    const key = pairKey(left, right)
    table.counts.set(key, (table.counts.get(key) ?? 0) + sign * word.count)
    if (sign === 1) {
      const seen = table.words.get(key)
      if (seen) seen.add(index)
      else table.words.set(key, new Set([index]))
    }
  }
}

function mostFrequentPair(counts: ReadonlyMap<number, number>): number | undefined {
  let best: number | undefined
  let most = 1
  for (const [key, count] of counts) {
    if (count > most || (count === most && best !== undefined && key < best)) {
      best = key
      most = count
    }
  }
  return best
}

function mergePair(ids: readonly number[], left: number, right: number, merged: number): number[] {
  const result: number[] = []
  for (let i = 0; i < ids.length; i++) {
    if (ids[i] === left && ids[i + 1] === right) {
      result.push(merged)
      i++
    } else result.push(ids[i]!)
  }
  return result
}

/** The content of `tokenizer.json`. */
export function buildTokenizerJson(model: BpeModel): object {
  const sequence = (id: 'A' | 'B') => ({ Sequence: { id, type_id: 0 } })
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: specialTokens.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: {
      type: 'ByteLevel',
      add_prefix_space: false,
      trim_offsets: true,
      use_regex: true,
    },
    post_processor: {
      type: 'TemplateProcessing',
      single: [sequence('A')],
      pair: [sequence('A'), sequence('B')],
      special_tokens: {},
    },
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(model.vocab),
      merges: model.merges,
    },
  }
}

/** The content of `tokenizer_config.json`, with the ChatML template. */
export function buildTokenizerConfig(): object {
  return {
    tokenizer_class: 'PreTrainedTokenizerFast',
    bos_token: '<|endoftext|>',
    eos_token: '<|im_end|>',
    pad_token: '<|endoftext|>',
    add_prefix_space: false,
    clean_up_tokenization_spaces: false,
    chat_template: chatMlTemplate,
  }
}

/** Writes both files into `folder`, which is created when absent. */
export async function writeTokenizer(folder: string, model: BpeModel): Promise<void> {
  await mkdir(folder, { recursive: true })
  const text = (value: object): string => `${JSON.stringify(value, null, 1)}\n`
  await writeFile(join(folder, 'tokenizer.json'), text(buildTokenizerJson(model)))
  await writeFile(join(folder, 'tokenizer_config.json'), text(buildTokenizerConfig()))
}
