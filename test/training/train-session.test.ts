/** Steps over memory in place: what the sessions do with buffers that they read and write at once. */
import { join } from 'node:path'
import t from 'tap'
import { architectureOf, parseModelConfig } from '../../src/arch/index.ts'
import { largestDifference } from '../fixtures/nd-array.ts'
import { tinyConfig } from '../fixtures/tiny-checkpoint.ts'
import { drawRows, tokenRows, train } from '../fixtures/train-tiny.ts'

const config = parseModelConfig(tinyConfig, 'tiny')
const rows = tokenRows(drawRows(16))

/** Names of tensors that differ by more than `tolerance`. */
function differing(
  a: ReadonlyMap<string, Float32Array>,
  b: ReadonlyMap<string, Float32Array>,
  tolerance: number,
): string[] {
  return [...a.keys()].filter(
    (name) => !(largestDifference(a.get(name)!, b.get(name)!) <= tolerance),
  )
}

for (const clipNorm of [1, 0]) {
  t.test(`one graph in place equals the split graphs, clip norm ${clipNorm}`, async (t) => {
    const dir = t.testdir()
    const run = (accumulate: number, workDir: string) =>
      train({
        base: { config },
        rows,
        hyper: { accumulate, clipNorm, lr: 0.1 },
        workDir: join(dir, workDir),
      })
    const one = await run(1, 'one')
    for (const accumulate of [2, 3, 4]) {
      const split = await run(accumulate, `split${accumulate}`)
      t.ok(largestDifference(split.losses, one.losses) < 1e-5, `${split.losses} ${one.losses}`)
      t.ok(
        largestDifference(split.gradNorms, one.gradNorms) < 1e-4,
        `${split.gradNorms} ${one.gradNorms}`,
      )
      t.same(differing(one.tensors, split.tensors, 1e-3), [])
    }
    t.equal(one.tensors.size, architectureOf(config).weights(config).size)
  })
}

t.test('the same training twice gives the same bits', async (t) => {
  const dir = t.testdir()
  const run = (workDir: string) =>
    train({
      base: { config },
      rows,
      hyper: { shuffle: true },
      workDir: join(dir, workDir),
      threads: 2,
    })
  const [a, b] = [await run('a'), await run('b')]
  t.same(differing(a.tensors, b.tensors, 0), [])
  t.same(a.losses, b.losses)
  const other = await train({
    base: { config },
    rows,
    hyper: { shuffle: true, seed: 2 },
    workDir: join(dir, 'c'),
  })
  t.not(other.losses[0], a.losses[0], 'another seed is another model')
})

t.test('the loss of rows seen again and again falls', async (t) => {
  const { losses } = await train({
    base: { config },
    rows,
    hyper: { maxSteps: 60, lr: 0.02 },
    workDir: join(t.testdir(), 'work'),
  })
  const mean = (values: number[]) => values.reduce((sum, v) => sum + v, 0) / values.length
  t.ok(Math.abs(mean(losses.slice(0, 1)) - Math.log(32)) < 0.2, 'a random model guesses evenly')
  t.ok(mean(losses.slice(-4)) < 1.2, `${losses.slice(-4)}`)
})
