/** Logits of small random checkpoints against those that transformers computed (float32, CPU). */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { largestDifference } from '../fixtures/nd-array.ts'
import { openDecoder } from '../fixtures/run-decode.ts'

const fixtures = fileURLToPath(new URL('../../../shared/fixtures/hf', import.meta.url))
const skip = existsSync(fixtures) ? false : 'the reference checkpoints are not here'

interface Expected {
  readonly tokens: number[]
  readonly logits_at: Record<string, number[]>
  readonly argmax: number[]
}

for (const name of ['llama-tied', 'llama3-rope']) {
  t.test(
    `${name}: logits and best tokens of a prefill are those of transformers`,
    { skip },
    async (t) => {
      const dir = join(fixtures, name)
      const expected = JSON.parse(readFileSync(join(dir, 'expected.json'), 'utf8')) as Expected
      const { tokens } = expected
      const decoder = await openDecoder(dir, 1, 64)
      t.teardown(() => decoder.dispose())
      const V = decoder.config.vocabSize
      const every = tokens.map((_, i) => i)
      const logits = await decoder.feed([tokens], [tokens.length], every)
      const row = (position: number) => logits.subarray(position * V, (position + 1) * V)
      for (const [position, wanted] of Object.entries(expected.logits_at)) {
        const found = row(Number(position)).subarray(0, wanted.length)
        const difference = largestDifference(found, wanted)
        t.ok(difference < 1e-4, `position ${position}: largest difference ${difference}`)
      }
      t.same(
        every.map((position) => row(position).indexOf(Math.max(...row(position)))),
        expected.argmax,
      )
    },
  )
}
