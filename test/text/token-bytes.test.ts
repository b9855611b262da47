/** The bytes of tokens are what the tokenizer's own decoder writes. */
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import type { JsonObject } from '../../src/text/json-file.ts'
import { createTokenizer } from '../../src/text/tokenizer.ts'

const shared = '../../../shared/data'
const files = {
  'the bundled tokenizer': '../../models/village/tokenizer.json',
  'SmolLM2, byte-level': `${shared}/smollm2-tokenizer/smollm2-135m-instruct.tokenizer.json`,
  'stories260K, sentencepiece with bytes': `${shared}/stories260K/hf/tokenizer.json`,
}

for (const [name, file] of Object.entries(files)) {
  const path = fileURLToPath(new URL(file, import.meta.url))
  const skip = !existsSync(path) && `${file} is not here`
  t.test(name, { skip }, async (t) => {
    const json = JSON.parse(readFileSync(path, 'utf8')) as JsonObject
    const tokenizer = createTokenizer(json, { where: path })
    const bytes = tokenizer.tokenBytes()!
    const added = new Set((json.added_tokens as { id: number }[]).map(({ id }) => id))
    const single = new Set<number>()
    let compared = 0
    bytes.forEach((written, id) => {
      if (!written) return t.ok(added.has(id), `token ${id} has no bytes`)
      if (written.length === 1) single.add(written[0]!)
      const text = Buffer.from(written).toString()
      if (text.includes('\ufffd')) return // part of a character
      // Sentencepiece drops the space that a text begins with: after itself a token shows all of its text.
      const alone = tokenizer.decode([id])
      if (tokenizer.decode([id, id]).slice(alone.length) !== text) t.fail(`token ${id}: ${text}`)
      compared += 1
    })
    t.ok(compared > bytes.length / 3)
    // SmolLM2 lacks some bytes that never occur in UTF-8 or are rare in it.
    for (let byte = 0x20; byte < 0x7f; byte += 1) {
      if (!single.has(byte)) t.fail(`byte ${byte} cannot be written`)
    }
    t.ok(single.size > 200, `${single.size} bytes`)
  })
}

t.test('a decoder that joins words is not taken for one that joins bytes', async (t) => {
  const json = { model: { type: 'WordPiece', vocab: { a: 0, '##b': 1, '[UNK]': 2 }, unk_token: '[UNK]' }, decoder: { type: 'WordPiece', prefix: '##', cleanup: true } } // prettier-ignore
  t.equal(createTokenizer(json, { where: 'x' }).tokenBytes(), null)
})
