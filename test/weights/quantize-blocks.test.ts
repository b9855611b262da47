/** Integers in blocks against the definition, computed bit by bit, and against round-to-nearest. */
import t from 'tap'
import { blockLayout } from '../../src/weights/block-layout.ts'
import { dequantizeRows, quantizeRows } from '../../src/weights/quantize-blocks.ts'
import { createRandom } from '../../src/util/random.ts'

const random = createRandom('blocks')
const draw = (length: number) => Float32Array.from({ length }, () => random.normal())

/** w = (q − zero) · scale, reading q as a number of `bits` bits, lowest first, out of the row's bits. */
function definition(blocks: Uint8Array, scales: Float32Array, bits: number, blockSize: number) {
  const allBits = [...blocks].flatMap((byte) =>
    Array.from({ length: 8 }, (_, i) => (byte >> i) & 1),
  )
  return Array.from({ length: allBits.length / bits }, (_, i) => {
    const q = allBits.slice(i * bits, (i + 1) * bits).reduce((sum, bit, k) => sum + bit * 2 ** k, 0)
    return Math.fround((q - 2 ** (bits - 1)) * scales[Math.floor(i / blockSize)]!)
  })
}

const squaredError = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0)

for (const bits of [4, 8] as const) {
  for (const blockSize of [16, 32]) {
    const options = { bits, blockSize }
    t.test(`${bits} bits, blocks of ${blockSize}: what is read is what the bits say`, async (t) => {
      const rows = quantizeRows(draw(8 * blockSize), options)
      t.equal(rows.blocks.length, blockSize * bits)
      t.equal(rows.scales.length, 8)
      const wanted = definition(rows.blocks, rows.scales, bits, blockSize)
      t.same([...dequantizeRows(rows, options)], wanted)
    })

    t.test(
      `${bits} bits, blocks of ${blockSize}: no value is off by more than a step`,
      async (t) => {
        const data = draw(64 * blockSize)
        const rows = quantizeRows(data, options)
        const back = dequantizeRows(rows, options)
        const steps = Array.from(data, (value, i) =>
          Math.abs((value - back[i]!) / rows.scales[Math.floor(i / blockSize)]!),
        )
        t.ok(Math.max(...steps) <= 1.5, `${Math.max(...steps)} steps`)
      },
    )

    t.test(
      `${bits} bits, blocks of ${blockSize}: no block is worse than with its largest value's scale`,
      async (t) => {
        const data = draw(64 * blockSize)
        const found = dequantizeRows(quantizeRows(data, options), options)
        const plain = dequantizeRows(quantizeRows(data, { ...options, search: false }), options)
        const errors = Array.from({ length: 64 }, (_, b) => {
          const part = (x: Float32Array) => x.subarray(b * blockSize, (b + 1) * blockSize)
          return [
            squaredError(part(found), part(data)),
            squaredError(part(plain), part(data)),
          ] as const
        })
        t.same(
          errors.filter(([mine, theirs]) => mine > theirs * 1.000001),
          [],
        )
        const share = squaredError(found, data) / squaredError(plain, data)
        t.comment(`squared error: ${share.toFixed(3)} of round-to-nearest's`)
        if (bits === 4) t.ok(share < 0.9)
      },
    )
  }
}

t.test('round to nearest is what a reader of the formula would compute', async (t) => {
  const data = Float32Array.of(0.5, -2, 1, 0.26, 0, 1.99, -0.12, 0.13, 0, 0, 0, 0, 0, 0, 0, 0)
  const { blocks, scales } = quantizeRows(data, { bits: 4, blockSize: 16, search: false })
  t.same([...scales], [0.25])
  const q = [2, -8, 4, 1, 0, 7, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0].map((value) => value + 8)
  t.same(
    [...blocks],
    Array.from({ length: 8 }, (_, i) => q[2 * i]! + 16 * q[2 * i + 1]!),
  )
})

t.test('blocks of zeros, of one value and of huge values keep what they are', async (t) => {
  const options = { bits: 4, blockSize: 16 } as const
  const constants = [0, 3, -3, 1e30, 1e-20]
  const data = Float32Array.from({ length: constants.length * 16 }, (_, i) => constants[i >> 4]!)
  const back = dequantizeRows(quantizeRows(data, options), options)
  data.forEach((value, i) => {
    t.ok(Math.abs(back[i]! - value) <= Math.abs(value) * 1e-6, `${value} → ${back[i]}`)
  })
})

t.test(
  'where the columns are no multiple of 32 the blocks are 16, else the tensor stays a float',
  async (t) => {
    t.match(blockLayout([4, 64], 4), {
      blockSize: 32,
      blocksShape: [4, 2, 16],
      scalesShape: [4, 2],
    })
    t.match(blockLayout([4, 48], 8), {
      blockSize: 16,
      blocksShape: [4, 3, 16],
      scalesShape: [4, 3],
    })
    t.equal(blockLayout([4, 40], 4), null)
    t.equal(blockLayout([64], 4), null)
  },
)
