/**
 * MatMulNBits and GatherBlockQuantized against their formula. The kernel rounds activations to 8 bits
 * by row and block; here they are whole numbers with a 127 in every block, so nothing is lost and the
 * results must be exact up to float32 sums.
 */
import t from 'tap'
import { createBuilder } from '../../src/ops/builder.ts'
import { blockLayout } from '../../src/weights/block-layout.ts'
import { dequantizeRows, quantizeRows } from '../../src/weights/quantize-blocks.ts'
import { createRandom } from '../../src/util/random.ts'
import { largestDifference } from '../fixtures/nd-array.ts'
import { createGraphRunner } from '../fixtures/run-graph.ts'

const [ROWS, N] = [5, 24]

function matrix(bits: 4 | 8, columns: number, b: ReturnType<typeof createBuilder>) {
  const random = createRandom(`${bits} ${columns}`)
  const layout = blockLayout([N, columns], bits)!
  const data = Float32Array.from({ length: N * columns }, () => random.normal())
  const { blocks, scales } = quantizeRows(data, layout)
  const bytes = new Uint8Array(scales.buffer)
  return {
    layout,
    floats: dequantizeRows({ blocks, scales }, layout),
    weight: (shape: readonly number[]) =>
      b.weight('blocks', 'uint8', shape, { kind: 'data', bytes: blocks }),
    scales: b.weight('scales', 'float32', layout.scalesShape, { kind: 'data', bytes }),
  }
}

for (const bits of [4, 8] as const) {
  for (const columns of [48, 96]) {
    const name = `${bits} bits, ${columns} columns`

    t.test(`${name}: a product with and without bias`, async (t) => {
      const b = createBuilder('product')
      const { layout, floats, weight, scales } = matrix(bits, columns, b)
      const x = b.input('x', 'float32', ['rows', columns])
      const blocks = weight(layout.blocksShape)
      const biases = Float32Array.from({ length: N }, (_, n) => n - 3)
      const bias = b.constant('bias', [N], biases)
      const attrs = { bits, blockSize: layout.blockSize }
      b.output('plain', b.op('MatMulNBits', [x, blocks, scales], attrs))
      b.output('shifted', b.op('MatMulNBits', [x, blocks, scales, bias], attrs))
      const random = createRandom(name)
      const data = Array.from({ length: ROWS * columns }, (_, i) =>
        i % layout.blockSize === 5 ? 127 : random.int(255) - 127,
      )
      const runner = await createGraphRunner(b.build())
      t.teardown(() => runner.dispose())
      const { plain, shifted } = await runner.run({ x: { shape: [ROWS, columns], data } })
      const wanted = Array.from({ length: ROWS * N }, (_, i) => {
        const [row, n] = [Math.floor(i / N), i % N]
        let sum = 0
        for (let k = 0; k < columns; k++) sum += data[row * columns + k]! * floats[n * columns + k]!
        return sum
      })
      const size = Math.max(...wanted.map(Math.abs))
      t.ok(size > 100)
      t.ok(largestDifference(plain!, wanted) < 1e-5 * size, 'plain')
      const moved = wanted.map((value, i) => value + biases[i % N]!)
      t.ok(largestDifference(shifted!, moved) < 1e-5 * size, 'with a bias')
    })

    t.test(`${name}: rows`, async (t) => {
      const b = createBuilder('rows')
      const { layout, floats, weight, scales } = matrix(bits, columns, b)
      const ids = b.input('ids', 'int64', ['batch', 'sequence'])
      const data = weight([N, (columns * bits) / 8])
      const attrs = { bits, blockSize: layout.blockSize }
      b.output('rows', b.op('GatherBlockQuantized', [data, ids, scales], attrs))
      const runner = await createGraphRunner(b.build())
      t.teardown(() => runner.dispose())
      const wanted = [0, N - 1, 7, 7, 1, 12]
      const { rows } = await runner.run({ ids: { shape: [2, 3], data: wanted } })
      t.same(
        rows,
        wanted.flatMap((row) => [...floats.subarray(row * columns, (row + 1) * columns)]),
      )
    })
  }
}
