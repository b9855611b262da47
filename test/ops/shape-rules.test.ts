/** Output shapes and types of the operators, and what they say about inputs that do not fit. */
import t from 'tap'
import type { Dim, ElementType, Value } from '../../src/graph/graph.ts'
import { createBuilder } from '../../src/ops/builder.ts'
import type { OpAttrs, OpType } from '../../src/ops/op-attrs.ts'

type Spec = readonly Dim[] | { readonly type: ElementType; readonly shape: readonly Dim[] }

const isSpec = (spec: Spec): spec is Exclude<Spec, readonly Dim[]> => 'shape' in spec

/** Applies one operator to inputs of the given shapes: `type[shape]` of each output. */
function infer<K extends OpType>(op: K, inputs: readonly (Spec | null)[], attrs: OpAttrs[K]) {
  const b = createBuilder('g')
  const values = inputs.map((spec, i): Value | null => {
    if (spec === null) return null
    const { type, shape } = isSpec(spec) ? spec : { type: 'float32' as const, shape: spec }
    return b.input(`x${i}`, type, shape)
  })
  return b.ops(op, values, attrs).map(({ type, shape }) => `${type}[${shape.join(',')}]`)
}

const ids = (...shape: Dim[]): Spec => ({ type: 'int64', shape })

t.test('element-wise operators broadcast from the right, named sizes too', async (t) => {
  t.same(infer('Add', [[2, 3], [3]], {}), ['float32[2,3]'])
  t.same(
    infer(
      'Mul',
      [
        ['B', 1],
        [1, 'S'],
      ],
      {},
    ),
    ['float32[B,S]'],
  )
  t.same(infer('Sub', [[], ['B', 2]], {}), ['float32[B,2]'])
  t.same(
    infer(
      'GreaterOrEqual',
      [
        ['S', 1],
        [1, 'S'],
      ],
      {},
    ),
    ['bool[S,S]'],
  )
  t.throws(() => infer('Add', [[2, 3], [2]], {}), {
    message: /internal: .*x0 float32\[2,3\].*dimensions 3 and 2 do not broadcast/,
  })
  t.throws(() => infer('Add', [['B'], ['S']], {}), { message: /dimensions B and S/ })
  t.throws(() => infer('Add', [[2], { type: 'float64', shape: [2] }], {}), {
    message: 'internal: x0 float32[2] and x1 float64[2] differ in type',
  })
  t.throws(() => infer('Add', [[2], null], {}), { message: /input 1 is missing/ })
})

t.test('Where takes its shape from the branches, Cast its type from the attribute', async (t) => {
  t.same(infer('Where', [{ type: 'bool', shape: [2, 3] }, [], [2, 3]], {}), ['float32[2,3]'])
  t.same(infer('Cast', [['B', 2]], { to: 'int32' }), ['int32[B,2]'])
})

t.test('MatMul transposes, broadcasts its leading axes and checks the inner size', async (t) => {
  t.same(
    infer(
      'MatMul',
      [
        ['B', 'S', 8],
        [5, 8],
      ],
      { transB: true },
    ),
    ['float32[B,S,5]'],
  )
  t.same(
    infer(
      'MatMul',
      [
        [4, 2, 3],
        [4, 2, 5],
      ],
      { transA: true },
    ),
    ['float32[4,3,5]'],
  )
  t.same(
    infer(
      'MatMul',
      [
        ['B', 1, 2, 3],
        [6, 3, 2],
      ],
      {},
    ),
    ['float32[B,6,2,2]'],
  )
  t.throws(
    () =>
      infer(
        'MatMul',
        [
          [2, 3],
          [4, 5],
        ],
        {},
      ),
    {
      message: 'internal: MatMul of x0 float32[2,3] and x1 float32[4,5]: 3 ≠ 4',
    },
  )
  t.throws(() => infer('MatMul', [[3], [3, 2]], {}), { message: /internal: MatMul of/ })
})

t.test('reductions drop or keep axes, counted from either end', async (t) => {
  t.same(infer('ReduceSum', [[2, 'S', 4]], { axes: [-1], keepdims: true }), ['float32[2,S,1]'])
  t.same(infer('ReduceMean', [[2, 'S', 4]], { axes: [0, 2], keepdims: false }), ['float32[S]'])
  t.same(infer('ReduceMax', [ids('S')], { axes: [0], keepdims: true }), ['int64[1]'])
  t.same(infer('ArgMax', [[2, 5]], { axis: 1 }), ['int64[2]'])
})

t.test('Reshape copies, infers and names sizes', async (t) => {
  t.same(infer('Reshape', [['B', 'S', 12]], { shape: [0, 0, 3, 4] }), ['float32[B,S,3,4]'])
  t.same(infer('Reshape', [[4, 6]], { shape: [-1, 3] }), ['float32[8,3]'])
  t.same(infer('Reshape', [['B', 'S', 4]], { shape: [-1, 4], dims: ['tokens'] }), [
    'float32[tokens,4]',
  ])
  t.throws(() => infer('Reshape', [['B', 4]], { shape: [-1, 2] }), {
    message: 'internal: Reshape of x0 float32[B,4] to [-1,2] needs a name for −1',
  })
  t.throws(() => infer('Reshape', [[3, 5]], { shape: [-1, 2] }), { message: /Reshape of x0/ })
})

t.test('layout operators', async (t) => {
  t.same(infer('Transpose', [['B', 'S', 4]], { perm: [1, 2, 0] }), ['float32[S,4,B]'])
  t.same(
    infer(
      'Concat',
      [
        [2, 3],
        [2, 4],
      ],
      { axis: -1 },
    ),
    ['float32[2,7]'],
  )
  t.same(
    infer(
      'Concat',
      [
        ['B', 3],
        ['C', 3],
      ],
      { axis: 0 },
    ),
    ['float32[B+C,3]'],
  )
  t.same(infer('Slice', [['B', 8]], { axis: -1, start: 2, end: 5 }), ['float32[B,3]'])
  t.same(
    infer(
      'PadLike',
      [
        ['B', 3],
        ['B', 8],
      ],
      { axis: 1, start: 2 },
    ),
    ['float32[B,8]'],
  )
  t.same(infer('ReshapeLike', [[6], [2, 'S']], {}), ['float32[2,S]'])
  t.same(
    infer(
      'ExpandLike',
      [
        [1, 3],
        ['B', 3],
      ],
      {},
    ),
    ['float32[B,3]'],
  )
  t.same(infer('ArangeLike', [['B', 'S']], { axis: -1 }), ['int64[S]'])
})

t.test('indexing operators', async (t) => {
  t.same(infer('Gather', [[50, 8], ids('B', 'S')], { axis: 0 }), ['float32[B,S,8]'])
  t.same(infer('Gather', [['B', 'S', 8], ids('P')], { axis: 1 }), ['float32[B,P,8]'])
  t.same(infer('ScatterAddRows', [ids('T'), ['T', 8], [50, 8]], {}), ['float32[50,8]'])
  t.same(infer('PickColumns', [['T', 8], ids('T')], {}), ['float32[T]'])
  t.same(infer('UnpickColumns', [['T'], ids('T'), ['T', 8]], {}), ['float32[T,8]'])
})

t.test('operators with several outputs', async (t) => {
  t.same(infer('RmsNorm', [['B', 'S', 8], [8]], { epsilon: 1 }), [
    'float32[B,S,8]',
    'float32[B,S,1]',
  ])
  t.same(infer('CrossEntropy', [['T', 8], ids('T'), ['T']], {}), ['float32[]', 'float32[T,8]'])
  const attrs = { numHeads: 2, kvHeads: 1, scale: 1, rotary: false }
  const [q, cache]: Spec[] = [
    ['B', 'S', 16],
    ['B', 1, 'C', 8],
  ]
  t.same(infer('GroupQueryAttention', [q!, q!, q!, cache!, cache!], attrs), [
    'float32[B,S,16]',
    'float32[B,1,C,8]',
    'float32[B,1,C,8]',
  ])
  t.same(infer('GroupQueryAttention', [q!, q!, q!, null, null], attrs), ['float32[B,S,16]'])
})
