import t from 'tap'
import type { Graph } from '../../src/graph/graph.ts'
import { createBuilder } from '../../src/ops/builder.ts'
import { fuseSkipNorms } from '../../src/ops/passes/fuse-skip-norms.ts'
import { largestDifference } from '../fixtures/nd-array.ts'
import { createGraphRunner } from '../fixtures/run-graph.ts'

const opsOf = (graph: Graph) => graph.nodes.map(({ op }) => op)

/** x + y normed, and the residual stream going on: what a layer does. */
function layers(): Graph {
  const b = createBuilder('layers')
  const x = b.input('x', 'float32', ['rows', 4])
  const y = b.input('y', 'float32', ['rows', 4])
  const w = b.constant('w', [4], [1, -0.5, 2, 0.25])
  const middle = b.op('Add', [x, y], {})
  const inner = b.op('Tanh', [b.op('RmsNorm', [middle, w], { epsilon: 1e-5 })], {})
  const last = b.op('Add', [middle, inner], {})
  b.output('normed', b.op('RmsNorm', [last, w], { epsilon: 1e-5 }))
  b.output('stream', last)
  return b.build()
}

t.test('a sum and its norm become one node, and the numbers stay', async (t) => {
  const graph = layers()
  const fused = fuseSkipNorms(graph)
  t.same(opsOf(graph), ['Add', 'RmsNorm', 'Tanh', 'Add', 'RmsNorm'])
  t.same(opsOf(fused), ['SkipRmsNorm', 'Tanh', 'SkipRmsNorm'])
  const feeds = {
    x: { shape: [2, 4], data: [1, 2, 3, 4, -1, 0.5, 0, 2] },
    y: { shape: [2, 4], data: [0.5, -2, 1, 0, 3, 3, 3, -3] },
  }
  const [before, after] = await Promise.all(
    [graph, fused].map(async (each) => {
      const runner = await createGraphRunner(each)
      t.teardown(() => runner.dispose())
      return runner.run(feeds)
    }),
  )
  t.ok(largestDifference(before!.normed!, after!.normed!) < 1e-6)
  t.ok(largestDifference(before!.stream!, after!.stream!) < 1e-6)
})

t.test('a sum that something reads before the norm stays', async (t) => {
  const b = createBuilder('early')
  const x = b.input('x', 'float32', [4])
  const sum = b.op('Add', [x, x], {})
  const early = b.op('Exp', [sum], {})
  b.output('y', b.op('RmsNorm', [sum, early], { epsilon: 1e-5 }))
  t.same(opsOf(fuseSkipNorms(b.build())), ['Add', 'Exp', 'RmsNorm'])
})

t.test('a sum that stretches one side, or a norm whose deviation is wanted, stays', async (t) => {
  const b = createBuilder('others')
  const x = b.input('x', 'float32', [3, 4])
  const w = b.constant('w', [4], [1, 1, 1, 1])
  b.output('a', b.op('RmsNorm', [b.op('Add', [x, w], {}), w], { epsilon: 1e-5 }))
  const [normed, inverse] = b.ops('RmsNorm', [b.op('Add', [x, x], {}), w], { epsilon: 1e-5 })
  b.output('b', b.op('Mul', [normed!, inverse!], {}))
  t.same(opsOf(fuseSkipNorms(b.build())), ['Add', 'RmsNorm', 'Add', 'RmsNorm', 'Mul'])
})
