/** Decode, score and train of every family against its equations: see `fixtures/graph-checks.ts`. */
import t from 'tap'
import { architectures } from '../../src/arch/architectures.ts'
import { openCheckpoint } from '../../src/weights/checkpoint.ts'
import {
  checkBatch,
  checkLosses,
  checkPieces,
  checkScores,
  rows,
} from '../fixtures/graph-checks.ts'
import { largestDifference } from '../fixtures/nd-array.ts'
import { referenceLogits } from '../fixtures/reference-decoder.ts'
import { openDecoder } from '../fixtures/run-decode.ts'
import { tinyConfig, writeTinyCheckpoint } from '../fixtures/tiny-checkpoint.ts'
import { longContextFamily, tinyFamilies } from '../fixtures/tiny-families.ts'

const TOLERANCE = 2e-5

for (const [name, config] of Object.entries(tinyFamilies)) {
  checkPieces(name, config)
  checkBatch(name, config)
  checkScores(name, config)
  checkLosses(name, config)
}

checkPieces('Phi-3, LongRoPE beyond the original context', longContextFamily)
checkLosses('Phi-3, LongRoPE beyond the original context', longContextFamily)

t.test('every architecture has a family above', async (t) => {
  const tested = new Set(
    Object.values(tinyFamilies).flatMap((changes) => {
      const { architectures: names } = { ...tinyConfig, ...changes }
      return names as string[]
    }),
  )
  const missing = architectures.flatMap(({ names }) => names.filter((name) => !tested.has(name)))
  t.same(missing, [])
})

t.test('half-precision weights serve as the float32 numbers they stand for', async (t) => {
  for (const dtype of ['F16', 'BF16'] as const) {
    const dir = t.testdir({})
    const tiny = await writeTinyCheckpoint(dir, { dtype })
    const checkpoint = await openCheckpoint(dir)
    const rounded = new Map<string, Float32Array>()
    for (const name of tiny.params.keys())
      rounded.set(name, await checkpoint.tensors.get(name)!.file.readFloat32(name))
    await checkpoint.close()
    const decoder = await openDecoder(dir, 1, 16)
    const row = rows[2]!
    const logits = await decoder.feed([row], [row.length], [row.length - 1])
    decoder.dispose()
    const wanted = referenceLogits(tiny.config, rounded, row).at(-1)!
    t.ok(largestDifference(logits, wanted) < TOLERANCE, dtype)
    const unrounded = referenceLogits(tiny.config, tiny.params, row).at(-1)!
    t.ok(largestDifference(logits, unrounded) > TOLERANCE, `${dtype}: rounding is visible`)
  }
})
