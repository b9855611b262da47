import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import {
  changedSettings,
  clearTraining,
  restoreTraining,
  saveTraining,
} from '../../src/training/checkpoint-store.ts'
import { freshState } from '../../src/training/initial-state.ts'
import type { TrainState } from '../../src/training/train-session.ts'

const shapes = new Map([
  ['w', [2, 2]],
  ['b', [2]],
])

/** Parameters and moments that all differ, by `offset`. */
function stateOf(offset: number): TrainState {
  const state = freshState(
    new Map(
      [...shapes].map(([name, shape]) => [
        name,
        new Float32Array(shape.reduce((n, d) => n * d, 1)),
      ]),
    ),
  )
  let value = offset
  for (const part of ['params', 'm', 'v'] as const)
    for (const data of state[part].values()) data.forEach((_, i) => (data[i] = value++ / 3))
  return state
}

const saved = (step: number) => ({
  step,
  batches: { epoch: 1, index: step },
  settings: { lr: 0.1 },
  progress: { recentLosses: [1.5] },
})

t.test('a checkpoint comes back bit for bit, into the arrays that are there', async (t) => {
  const work = join(t.testdir(), 'work')
  await saveTraining(work, stateOf(100), shapes, saved(3))
  const state = stateOf(0)
  const array = state.m.get('w')!
  t.same(await restoreTraining(work, state), saved(3))
  t.same(state, stateOf(100))
  t.equal(state.m.get('w'), array)
})

t.test('the two newest are kept, the newest is restored', async (t) => {
  const work = join(t.testdir(), 'work')
  for (const step of [5, 10, 100]) await saveTraining(work, stateOf(step), shapes, saved(step))
  t.same((await readdir(work)).sort(), ['step-00000010', 'step-00000100'])
  const state = stateOf(0)
  t.match(await restoreTraining(work, state), { step: 100 })
  t.same(state, stateOf(100))
})

t.test('a folder without checkpoints restores nothing', async (t) => {
  const work = join(t.testdir(), 'work')
  const state = stateOf(7)
  t.equal(await restoreTraining(work, state), null)
  await mkdir(work)
  t.equal(await restoreTraining(work, state), null)
  t.same(state, stateOf(7))
})

t.test('what an interrupted save leaves is passed over', async (t) => {
  const work = join(t.testdir(), 'work')
  await saveTraining(work, stateOf(1), shapes, saved(1))
  // Killed while writing: the folder still has its working name and lacks files.
  const part = join(work, '.step-00000002.123-1.part')
  await mkdir(part)
  await writeFile(join(part, 'params.safetensors'), 'half')
  const state = stateOf(0)
  t.match(await restoreTraining(work, state), { step: 1 })
  t.same(state, stateOf(1))
})

t.test('a save that fails leaves the previous checkpoint and no half one', async (t) => {
  const work = join(t.testdir(), 'work')
  await saveTraining(work, stateOf(1), shapes, saved(1))
  const broken = stateOf(2)
  const wrongShapes = new Map([...shapes, ['b', [3]]])
  await t.rejects(saveTraining(work, broken, wrongShapes, saved(2)))
  t.same(await readdir(work), ['step-00000001'])
  t.match(await restoreTraining(work, stateOf(0)), { step: 1 })
})

t.test('saving the same step again replaces it', async (t) => {
  const work = join(t.testdir(), 'work')
  await saveTraining(work, stateOf(1), shapes, saved(4))
  await saveTraining(work, stateOf(2), shapes, saved(4))
  t.same(await readdir(work), ['step-00000004'])
  const state = stateOf(0)
  await restoreTraining(work, state)
  t.same(state, stateOf(2))
})

t.test('damaged checkpoints are errors with the file', async (t) => {
  const work = join(t.testdir(), 'work')
  await saveTraining(work, stateOf(1), shapes, saved(4))
  const other = freshState(new Map([['w', new Float32Array(9)]]))
  await t.rejects(restoreTraining(work, other), {
    code: 'BAD_CHECKPOINT',
    detail: /params\.safetensors: "w": expected 9 numbers, file has 4/,
  })
  const more = freshState(new Map([['more', new Float32Array(1)]]))
  await t.rejects(restoreTraining(work, more), { code: 'BAD_CHECKPOINT', detail: /"?more"?/ })
  await writeFile(join(work, 'step-00000004', 'state.json'), '{"step": 4')
  await t.rejects(restoreTraining(work, stateOf(0)), {
    code: 'BAD_CHECKPOINT',
    detail: /state\.json: cannot be read as JSON/,
  })
  await writeFile(join(work, 'step-00000004', 'v.safetensors'), 'half')
  await t.rejects(restoreTraining(work, stateOf(0)), {
    code: 'BAD_CHECKPOINT',
    detail: /v\.safetensors/,
  })
})

t.test('clearing removes everything, and may find nothing', async (t) => {
  const dir = t.testdir()
  const work = join(dir, 'work')
  await saveTraining(work, stateOf(1), shapes, saved(4))
  await clearTraining(work)
  await clearTraining(work)
  t.same(await readdir(dir), [])
})

t.test('changed settings are named; those that the saved run did not know are not', async (t) => {
  const before = { lr: 0.1, seed: 1, list: [1, 2] }
  t.same(changedSettings(before, { ...before, list: [1, 2] }), [])
  t.same(changedSettings(before, { lr: 0.2, seed: 1, list: [2, 1] }), ['lr', 'list'])
  t.same(changedSettings(before, { lr: 0.1, list: [1, 2] }), ['seed'])
  t.same(changedSettings(before, { ...before, newer: true }), [])
})
