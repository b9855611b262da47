import { mkdtemp, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Tokenizer } from '@huggingface/tokenizers'
import t from 'tap'
import {
  buildTokenizerConfig,
  buildTokenizerJson,
  byteCharacters,
  specialTokens,
  trainBpe,
  writeTokenizer,
} from '../../src/text/bpe-trainer.ts'

const line = 'helpfulness:4,humor:0,creativity:0,verbosity:2,toxicity:0\n'
const texts = Array.from({ length: 40 }, (_, i) => [
  'assistant\n',
  line,
  `The innkeeper of Eldermere pours ${i} mugs of ale, and the guard doesn't pay. 2024 naïve cafés!`,
]).flat()
const model = trainBpe(texts, 359)
const tokenizer = new Tokenizer(buildTokenizerJson(model), buildTokenizerConfig())
const encode = (text: string): number[] => tokenizer.encode(text, { add_special_tokens: false }).ids
const pieces = (text: string): string[] =>
  tokenizer.encode(text, { add_special_tokens: false }).tokens

/** The textbook algorithm: split, apply merges in order of rank. Independent of the library. */
function referenceEncode(text: string): number[] {
  const pattern = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu
  const ids: number[] = []
  for (const [word] of text.matchAll(pattern)) {
    let parts = [...new TextEncoder().encode(word)].map((byte) => byteCharacters[byte]!)
    for (const [left, right] of model.merges) {
      const merged: string[] = []
      for (let i = 0; i < parts.length; i++) {
        if (parts[i] === left && parts[i + 1] === right) {
          merged.push(left + right)
          i++
        } else merged.push(parts[i]!)
      }
      parts = merged
    }
    ids.push(...parts.map((part) => model.vocab.get(part)!))
  }
  return ids
}

t.test(
  'the vocabulary: special tokens first, all bytes, then merges, ids without gaps',
  async (t) => {
    t.same([...model.vocab.keys()].slice(0, 3), specialTokens)
    t.equal(new Set(byteCharacters).size, 256)
    t.ok(byteCharacters.every((character) => model.vocab.has(character)))
    t.equal(model.vocab.size, 359)
    t.equal(model.merges.length, 359 - 259)
    t.same(
      [...model.vocab.values()],
      Array.from({ length: 359 }, (_, id) => id),
    )
    for (const [left, right] of model.merges) t.ok(model.vocab.has(left + right))
  },
)

t.test('text comes back byte for byte, also text never seen', async (t) => {
  for (const text of [texts[2]!, line, 'Zoë  said:\n\t"1+1=2" 🐉 ok', '\u0000\u00ff', ' . x ']) {
    t.equal(tokenizer.decode(encode(text), { skip_special_tokens: false }), text)
  }
})

t.test('the library encodes as the merges say', async (t) => {
  for (const text of [texts[2]!, line, 'an unseen dragon, 3 innkeepers\nand naïve café guards']) {
    t.same(encode(text), referenceEncode(text))
  }
})

t.test('digits stay single and attribute names become one token', async (t) => {
  t.same(
    [...model.vocab.keys()].filter((token) => /\d/.test(token) && token.length > 1),
    [],
  )
  t.same(pieces('toxicity:0\n').slice(0, 3), ['toxicity', ':', '0'])
  t.same(pieces('20'), ['2', '0'])
  t.same(
    pieces(line).filter((piece) => piece.length > 1),
    ['helpfulness', 'humor', 'creativity', 'verbosity', 'toxicity'],
  )
})

t.test('special tokens in text are recognised', async (t) => {
  t.same(encode('<|im_start|>assistant\n').slice(0, 1), [1])
  t.same(encode('ale<|im_end|>').at(-1), 2)
  t.equal(encode('<|endoftext|>')[0], 0)
})

t.test(
  'training picks the most frequent pair, ties by lowest ids, and is deterministic',
  async (t) => {
    t.same(trainBpe(['ab ab cd'], 260).merges, [['a', 'b']])
    t.same(trainBpe(['xy', 'xy', 'ab', 'ab'], 261).merges, [
      ['a', 'b'],
      ['x', 'y'],
    ])
    t.same(trainBpe(texts, 359).merges, model.merges)
    t.same(trainBpe(texts.toReversed(), 359).merges, model.merges)
  },
)

t.test(
  'it stops early when nothing occurs twice, and refuses a vocabulary below the alphabet',
  async (t) => {
    t.equal(trainBpe(['abc'], 1000).vocab.size, 259)
    t.throws(() => trainBpe(['abc'], 100), { code: 'BAD_ARGUMENT' })
  },
)

t.test(
  'the folder holds both files, with the chat template and the end-of-turn token',
  async (t) => {
    const folder = join(await mkdtemp(join(tmpdir(), 'bpe-')), 'new')
    await writeTokenizer(folder, model)
    const read = async (name: string): Promise<Record<string, unknown>> =>
      JSON.parse(await readFile(join(folder, name), 'utf8'))
    t.match(await read('tokenizer_config.json'), {
      eos_token: '<|im_end|>',
      pad_token: '<|endoftext|>',
      chat_template: /im_start/,
    })
    const loaded = new Tokenizer(await read('tokenizer.json'), await read('tokenizer_config.json'))
    t.same(loaded.encode(line).ids, encode(line))
  },
)
