/**
 * Every tiny family against what transformers computes from the same weights: logits, loss and
 * gradient norm. `test/fixtures/transformers/` holds the numbers and the scripts that made them.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openModel } from '../../src/arch/index.ts'
import { CAPACITY, rows } from '../fixtures/graph-checks.ts'
import { largestDifference } from '../fixtures/nd-array.ts'
import { openDecoder } from '../fixtures/run-decode.ts'
import { writeTinyCheckpoint } from '../fixtures/tiny-checkpoint.ts'
import { longContextFamily, tinyFamilies } from '../fixtures/tiny-families.ts'
import { tokenRows, train } from '../fixtures/train-tiny.ts'

interface Measured {
  readonly row: number[]
  readonly families: Record<string, { logits: number[]; loss: number; grad_norm: number }>
}

const path = new URL('../fixtures/transformers/measured.json', import.meta.url)
const { row, families: measured } = JSON.parse(readFileSync(path, 'utf8')) as Measured
const families = {
  ...tinyFamilies,
  'Phi-3, LongRoPE beyond the original context': longContextFamily,
}

t.test('the numbers are those of the families and the row of the tests', async (t) => {
  t.same(Object.keys(measured), Object.keys(families))
  t.same(row, rows[0])
})

for (const [name, config] of Object.entries(families)) {
  t.test(`${name}: logits, loss and gradient norm are those of transformers`, async (t) => {
    const dir = t.testdir()
    await writeTinyCheckpoint(dir, { config })
    const wanted = measured[name]!
    const decoder = await openDecoder(dir, 1, CAPACITY)
    const logits = await decoder.feed(
      [row],
      [row.length],
      row.map((_, i) => i),
    )
    decoder.dispose()
    const difference = largestDifference(logits, wanted.logits)
    t.ok(difference < 2e-5, `largest difference of a logit ${difference}`)
    const base = await openModel(dir)
    t.teardown(() => base.checkpoint.close())
    const { losses, gradNorms } = await train({
      base,
      rows: tokenRows([{ tokens: row, lossMask: new Uint8Array(row.length).fill(1) }]),
      hyper: { maxSteps: 1, batchSize: 1, maxTokens: CAPACITY },
      workDir: join(t.testdir({}), 'work'),
    })
    const relative = (found: number, reference: number) => Math.abs(found - reference) / reference
    t.ok(relative(losses[0]!, wanted.loss) < 1e-5, `loss ${losses[0]}, ${wanted.loss}`)
    t.ok(relative(gradNorms[0]!, wanted.grad_norm) < 1e-5, `${gradNorms[0]}, ${wanted.grad_norm}`)
  })
}
