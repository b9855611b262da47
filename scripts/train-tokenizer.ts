/**
 * Trains the tokenizer of the bundled model on generated village conversations with label lines:
 *   node scripts/train-tokenizer.ts --out DIR [--seed 1] [--conversations 20000] [--vocab 2048]
 */
import { parseArgs } from 'node:util'
import { drawLevels, generateVillage, villageAttributes } from '../src/datasets/village/index.ts'
import { fail } from '../src/errors.ts'
import { trainBpe, writeTokenizer } from '../src/text/bpe-trainer.ts'
import { createRandom } from '../src/util/random.ts'

const { values } = parseArgs({
  options: {
    out: { type: 'string' },
    seed: { type: 'string', default: '1' },
    conversations: { type: 'string', default: '20000' },
    vocab: { type: 'string', default: '2048' },
  },
})

function count(name: 'seed' | 'conversations' | 'vocab'): number {
  const value = Number(values[name])
  if (Number.isInteger(value) && value >= 0) return value
  return fail('BAD_ARGUMENT', `--${name}: expected a whole number, got "${values[name]}"`)
}

/** The text of the training rows without the special tokens: roles, contents and label lines. */
function* texts(): Generator<string> {
  const seed = count('seed')
  const random = createRandom(`tokenizer ${seed}`)
  const { unrated } = generateVillage({ seed, unrated: count('conversations') })
  for (const { messages } of unrated) {
    for (const { role, content } of messages) {
      yield `${role}\n`
      if (role === 'assistant') {
        const levels = drawLevels(random)
        yield `${villageAttributes.map((name) => `${name}:${levels[name]}`).join(',')}\n`
      }
      yield content
    }
  }
}

const out = values.out ?? fail('BAD_ARGUMENT', '--out: expected a folder')
const model = trainBpe(texts(), count('vocab'))
await writeTokenizer(out, model)
console.log(`${out}: ${model.vocab.size} tokens, ${model.merges.length} merges`)
