import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { loadTokenizer } from '../../src/text/tokenizer.ts'
import { boundaryMerges, tinyTokenizer, tinyTokenizerJson } from './tiny-tokenizer.ts'

async function folder(dir: string, files: Record<string, unknown>): Promise<string> {
  await mkdir(dir, { recursive: true })
  for (const [name, content] of Object.entries(files)) {
    const text = typeof content === 'string' ? content : JSON.stringify(content)
    await writeFile(join(dir, name), text)
  }
  return dir
}

t.test('special tokens in a text are recognised and can be skipped again', async (t) => {
  const tokenizer = tinyTokenizer({ merges: boundaryMerges })
  const ids = tokenizer.encode('<|im_start|>Hell<|im_end|>')
  t.same(ids, [1, tokenizer.tokenToId('Hell'), 2])
  t.equal(tokenizer.decode(ids), '<|im_start|>Hell<|im_end|>')
  t.equal(tokenizer.decode(ids, { skipSpecialTokens: true }), 'Hell')
  t.ok(tokenizer.isSpecial(2))
  t.notOk(tokenizer.isSpecial(3))
  t.equal(tokenizer.vocabSize, 3 + 256 + boundaryMerges.length)
})

t.test('every text survives encode and decode, spaces before punctuation too', async (t) => {
  const tokenizer = tinyTokenizer({ merges: boundaryMerges })
  for (const text of ["so . Well , don 't ?", 'naïve café 🙂\n\n  x', '你好', '', ' ']) {
    t.equal(tokenizer.decode(tokenizer.encode(text)), text)
  }
})

t.test('ids without a token give no text', async (t) => {
  const tokenizer = tinyTokenizer()
  const [h] = tokenizer.encode('h')
  t.equal(tokenizer.decode([h!, 99_999, -1]), 'h')
  t.equal(tokenizer.decode([99_999]), '')
  t.equal(tokenizer.decode([]), '')
})

t.test('end tokens come from all files, as a number or a list', async (t) => {
  const dir = t.testdir()
  const json = tinyTokenizerJson()
  const eosOf = async (name: string, files: Record<string, unknown>): Promise<readonly number[]> =>
    (await loadTokenizer(await folder(join(dir, name), { 'tokenizer.json': json, ...files })))
      .eosIds
  t.same(await eosOf('none', {}), [])
  t.same(await eosOf('number', { 'config.json': { eos_token_id: 0 } }), [0])
  t.same(await eosOf('inner', { 'config.json': { text_config: { eos_token_id: [2] } } }), [2])
  t.same(
    await eosOf('all', {
      'generation_config.json': { eos_token_id: [5, 2] },
      'config.json': { eos_token_id: 0 },
      'tokenizer_config.json': { eos_token: { content: '<|im_end|>' } },
    }),
    [0, 2, 5],
  )
  t.same(await eosOf('null', { 'generation_config.json': { eos_token_id: null } }), [])
})

t.test('begin and padding ids come from the tokenizer, else from the model', async (t) => {
  const dir = await folder(t.testdir(), {
    'tokenizer.json': tinyTokenizerJson(),
    'tokenizer_config.json': { pad_token: '<|endoftext|>' },
    'config.json': { bos_token_id: 1, pad_token_id: 7 },
  })
  const { bosId, padId } = await loadTokenizer(dir)
  t.same({ bosId, padId }, { bosId: 1, padId: 0 })
})

t.test('a malformed tokenizer.json is one clear error', async (t) => {
  const dir = t.testdir()
  const model = tinyTokenizerJson().model as Record<string, unknown>
  const cases: Record<string, [content: unknown, says: RegExp]> = {
    syntax: ['{"model": ', /tokenizer\.json is not JSON/],
    array: ['[1]', /expected an object, found an array/],
    model: [{ ...tinyTokenizerJson(), model: null }, /model: expected an object, found null/],
    vocab: [{ model: { ...model, vocab: 'x' } }, /model\.vocab: expected an object or an array/],
    id: [{ model: { ...model, vocab: { a: -1 } } }, /model\.vocab\["a"\]: expected a token id/],
    huge: [{ model: { ...model, vocab: { a: 1e15 } } }, /model\.vocab\["a"\]/],
    merges: [{ model: { ...model, merges: [['a']] } }, /model\.merges\[0\]: expected two tokens/],
    noMerges: [{ model: { ...model, merges: undefined } }, /model\.merges: expected an array/],
    added: [{ model, added_tokens: [{ id: 0 }] }, /added_tokens\[0\]\.content/],
    addedList: [{ model, added_tokens: {} }, /added_tokens: expected an array/],
    type: [{ model: { ...model, type: 'Magic' } }, /the library refuses it/],
    decoder: [{ ...tinyTokenizerJson(), decoder: { type: 'Nope' } }, /Unknown Decoder type: Nope/],
    regex: [
      {
        ...tinyTokenizerJson(),
        pre_tokenizer: { type: 'Split', pattern: { Regex: '(' }, behavior: 'Isolated' },
      },
      /the library refuses it/,
    ],
  }
  for (const [name, [content, says]] of Object.entries(cases)) {
    const made = await folder(join(dir, name), { 'tokenizer.json': content })
    await t.rejects(loadTokenizer(made), { code: 'BAD_TOKENIZER', detail: says }, name)
  }
  await t.rejects(loadTokenizer(join(dir, 'missing')), {
    code: 'BAD_TOKENIZER',
    detail: /missing.*no such file/,
  })
})
