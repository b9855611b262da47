import t from 'tap'
import { createTextStream } from '../../src/text/text-stream.ts'
import { createTokenizer, type Tokenizer } from '../../src/text/tokenizer.ts'
import { createRandom } from '../../src/util/random.ts'
import { boundaryMerges, tinyTokenizer } from './tiny-tokenizer.ts'

/** A sentencepiece-like tokenizer: `▁` for spaces, bytes as `<0x..>`, the first space of a text dropped. */
function pieceTokenizer(): Tokenizer {
  const bytes = Array.from(
    { length: 256 },
    (_, b) => `<0x${b.toString(16).toUpperCase().padStart(2, '0')}>`,
  )
  const tokens = ['<unk>', '<s>', '</s>', ...bytes, '▁', 'a', 'b', '.', '▁a', '▁b']
  const json = {
    added_tokens: [0, 1, 2].map((id) => ({ id, content: tokens[id], special: true })),
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'Prepend', prepend: '▁' },
        { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
      ],
    },
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        { type: 'Strip', content: ' ', start: 1, stop: 0 },
      ],
    },
    model: {
      type: 'BPE',
      unk_token: '<unk>',
      byte_fallback: true,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: [
        ['▁', 'a'],
        ['▁', 'b'],
      ],
    },
  }
  return createTokenizer(json, { where: 'pieces' })
}

function stream(tokenizer: Tokenizer, ids: number[], context?: number[]): string[] {
  const made = createTextStream(tokenizer, context ? { context } : {})
  return [...ids.map((id) => made.push(id)), made.flush()]
}

t.test('a character of several tokens comes out once it is whole', async (t) => {
  const tokenizer = tinyTokenizer()
  t.same(stream(tokenizer, tokenizer.encode('é🙂!')), ['', 'é', '', '', '', '🙂', '!', ''])
  const cut = tokenizer.encode('a🙂').slice(0, -1)
  t.same(stream(tokenizer, cut), ['a', '', '', '', '\ufffd'], 'an incomplete one at the flush')
})

t.test('spaces of sentencepiece-like decoders come out as in the whole text', async (t) => {
  const tokenizer = pieceTokenizer()
  const ids = tokenizer.encode('a b a.')
  t.equal(tokenizer.decode(ids), 'a b a.')
  t.same(stream(tokenizer, ids), ['a', ' b', ' a', '.', ''])
  t.same(stream(tokenizer, [1, ...ids]), ['', 'a', ' b', ' a', '.', ''], 'after a begin token')
  t.same(stream(tokenizer, ids.slice(1), ids.slice(0, 1)), [' b', ' a', '.', ''], 'continued')
})

t.test('random tokens stream to exactly their decoded text', async (t) => {
  const random = createRandom('stream')
  for (const tokenizer of [tinyTokenizer({ merges: boundaryMerges }), pieceTokenizer()]) {
    for (let trial = 0; trial < 150; trial++) {
      const ids = Array.from({ length: random.int(120) }, () => random.int(tokenizer.vocabSize))
      const expected = tokenizer.decode(ids, { skipSpecialTokens: true })
      if (stream(tokenizer, ids).join('') !== expected) t.same(ids, [], 'differs for these tokens')
    }
  }
  const bytes = tinyTokenizer()
  const text = '你好 🙂🙂 naïve\n'.repeat(30)
  t.equal(stream(bytes, bytes.encode(text)).join(''), text)
})

t.test('special tokens are shown when asked for', async (t) => {
  const tokenizer = tinyTokenizer()
  const made = createTextStream(tokenizer, { skipSpecialTokens: false })
  t.equal(made.push(2), '<|im_end|>')
  t.equal(createTextStream(tokenizer).push(2), '')
})
