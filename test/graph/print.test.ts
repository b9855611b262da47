import t from 'tap'
import { printGraph } from '../../src/graph/print.ts'
import { createBuilder } from '../../src/ops/builder.ts'

t.test('a printed graph shows inputs, weights, nodes with attributes, and outputs', async (t) => {
  const b = createBuilder('tiny')
  const x = b.input('x', 'float32', ['batch', 4])
  const file = { kind: 'file', file: 'model.safetensors', offset: 128, lengthBytes: 48 } as const
  const w = b.weight('proj.weight', 'float32', [3, 4], file)
  const y = b.op('MatMul', [x, w], { transB: true })
  const doubled = b.op('Mul', [y, b.scalar(2)], {})
  b.output('y', b.op('Softmax', [doubled], {}))
  const ids = b.input('ids', 'int64', ['batch'])
  b.output('best', b.op('PickColumns', [doubled, ids], {}))
  t.equal(
    printGraph(b.build()),
    [
      'graph tiny {',
      '  input x: float32[batch,4]',
      '  input ids: int64[batch]',
      '  weight proj.weight: float32[3,4] (model.safetensors@128)',
      '  weight scalar_0: float32[] (data)',
      '  v2: float32[batch,3] = MatMul(x, proj.weight) {"transB":true}',
      '  v4: float32[batch,3] = Mul(v2, scalar_0)',
      '  v5: float32[batch,3] = Softmax(v4)',
      '  v7: float32[batch] = PickColumns(v4, ids)',
      '  output y = v5',
      '  output best = v7',
      '}',
    ].join('\n'),
  )
})

t.test('an absent optional input prints as an underscore', async (t) => {
  const b = createBuilder('g')
  const q = b.input('q', 'float32', ['B', 'S', 16])
  const lengths = b.input('lengths', 'int32', ['B'])
  const total = b.input('total', 'int32', [1])
  const attrs = { numHeads: 1, kvHeads: 1, scale: 1, rotary: false }
  b.output('y', b.op('GroupQueryAttention', [q, q, q, null, null, lengths, total], attrs))
  t.match(printGraph(b.build()), 'GroupQueryAttention(q, q, q, _, _, lengths, total)')
})
