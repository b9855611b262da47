import t from 'tap'
import { addTokens } from '../../src/text/add-tokens.ts'
import { createTokenizer } from '../../src/text/tokenizer.ts'
import { tinyTokenizerJson } from './tiny-tokenizer.ts'

t.test(
  'added strings become one token each, inside words too, and decode to themselves',
  async (t) => {
    const json = tinyTokenizerJson()
    const before = createTokenizer(json, { where: 'tiny' })
    const first = before.vocabSize
    const after = createTokenizer(addTokens(json, ['humor:3', 'humor:4'], first), {
      where: 'grown',
    })
    const text = 'so humor:4,humor:3!'
    const ids = after.encode(text, { addSpecialTokens: false })
    t.same(
      ids.filter((id) => id >= first),
      [first + 1, first],
    )
    t.equal(after.decode(ids), text)
    t.equal(after.vocabSize, first + 2)
    t.notOk(after.isSpecial(first))
    t.same(
      after.encode('plain text', { addSpecialTokens: false }),
      before.encode('plain text', { addSpecialTokens: false }),
    )
  },
)
