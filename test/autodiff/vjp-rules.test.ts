/**
 * Every gradient rule against central finite differences in float64: for a random direction c the
 * loss Σ c∘f(x) is differentiated by the rule and by (f(x+h) − f(x−h)) / 2h, h = 1e-6 of the scale.
 * The tolerance 1e-6 is the truncation error of that quotient for these functions.
 */
import t from 'tap'
import { gradients } from '../../src/autodiff/gradients.ts'
import { vjpRules } from '../../src/autodiff/vjp-rules.ts'
import type { Value } from '../../src/graph/graph.ts'
import { createBuilder, type Builder } from '../../src/ops/builder.ts'
import type { OpType } from '../../src/ops/op-attrs.ts'
import { createRandom } from '../../src/util/random.ts'
import { createGraphRunner, type Feed } from '../fixtures/run-graph.ts'

interface Case {
  readonly op: OpType
  readonly name: string
  /** Differentiated inputs by name → shape. Values are drawn from [low, high). */
  readonly inputs: Readonly<Record<string, readonly number[]>>
  readonly low?: number
  readonly high?: number
  /** Inputs without gradient. */
  readonly fixed?: Readonly<Record<string, { type: 'int64' | 'float64'; feed: Feed }>>
  readonly f: (b: Builder, x: Readonly<Record<string, Value>>) => Value
}

const int = (shape: number[], ...data: number[]) => ({
  type: 'int64' as const,
  feed: { shape, data },
})
const unary = (op: OpType, low = -2, high = 2): Case => ({
  op,
  name: op,
  inputs: { x: [2, 3] },
  low,
  high,
  f: (b, { x }) => b.op(op, [x!], {}),
})
const binary = (op: OpType, low = -2): Case[] =>
  [
    [
      [2, 3],
      [2, 3],
    ],
    [[2, 3], [3]],
    [
      [1, 3],
      [2, 1],
    ],
    [[], [2, 2]],
  ].map((shapes) => ({
    op,
    name: `${op} [${shapes[0]}] with [${shapes[1]}]`,
    inputs: { x: shapes[0]!, y: shapes[1]! },
    low,
    f: (b, { x, y }) => b.op(op, [x!, y!], {}),
  }))
const matMul = (
  x: number[],
  y: number[],
  attrs: { transA?: boolean; transB?: boolean; alpha?: number },
): Case => ({
  op: 'MatMul',
  name: `MatMul [${x}] with [${y}] ${JSON.stringify(attrs)}`,
  inputs: { x, y },
  f: (b, v) => b.op('MatMul', [v.x!, v.y!], attrs),
})
const reduction = (
  op: 'ReduceSum' | 'ReduceMean' | 'ReduceMax',
  axes: number[],
  keepdims: boolean,
): Case => ({
  op,
  name: `${op} over ${axes}${keepdims ? ' keeping them' : ''}`,
  inputs: { x: [2, 3, 4] },
  f: (b, { x }) => b.op(op, [x!], { axes, keepdims }),
})

const cases: Case[] = [
  ...binary('Add'),
  ...binary('Sub'),
  ...binary('Mul'),
  ...binary('Div', 0.5),
  ...binary('Min'),
  ...binary('Max'),
  unary('Neg'),
  unary('Exp'),
  unary('Log', 0.5),
  unary('Sqrt', 0.5),
  unary('Reciprocal', 0.5),
  unary('Sigmoid'),
  unary('Tanh'),
  unary('Silu'),
  unary('GeluTanh', -3, 3),
  unary('Softmax'),
  unary('LogSoftmax'),
  {
    op: 'Where',
    name: 'Where',
    inputs: { x: [2, 3], y: [3] },
    f: (b, { x, y }) =>
      b.op(
        'Where',
        [b.op('GreaterOrEqual', [x!, b.scalar(0)], {}), b.op('Mul', [x!, x!], {}), y!],
        {},
      ),
  },
  {
    op: 'Cast',
    name: 'Cast within float64',
    inputs: { x: [2] },
    f: (b, { x }) => b.op('Cast', [x!], { to: 'float64' }),
  },
  matMul([2, 3], [3, 4], {}),
  matMul([2, 3], [4, 3], { transB: true, alpha: 0.5 }),
  matMul([3, 2], [3, 4], { transA: true }),
  matMul([3, 2], [4, 3], { transA: true, transB: true, alpha: 2 }),
  matMul([2, 2, 3], [4, 3], { transB: true }),
  matMul([2, 2, 3], [3, 4], { alpha: 3 }),
  matMul([2, 2, 3, 2], [2, 2, 2, 4], {}),
  matMul([2, 2, 3, 2], [2, 2, 4, 2], { transB: true, alpha: 0.25 }),
  matMul([2, 3, 2], [2, 3, 4], { transA: true }),
  matMul([2, 3, 2], [2, 4, 3], { transA: true, transB: true }),
  reduction('ReduceSum', [-1], true),
  reduction('ReduceSum', [0, 1], false),
  reduction('ReduceSum', [1], false),
  reduction('ReduceSum', [0, 1, 2], false),
  reduction('ReduceMean', [-1], true),
  reduction('ReduceMean', [1], false),
  reduction('ReduceMax', [-1], true),
  reduction('ReduceMax', [1], false),
  {
    op: 'Reshape',
    name: 'Reshape',
    inputs: { x: [2, 3, 2] },
    f: (b, { x }) => b.op('Reshape', [x!], { shape: [0, -1] }),
  },
  {
    op: 'ReshapeLike',
    name: 'ReshapeLike',
    inputs: { x: [2, 3] },
    fixed: { like: { type: 'float64', feed: { shape: [3, 2], data: [0, 0, 0, 0, 0, 0] } } },
    f: (b, { x, like }) => b.op('ReshapeLike', [x!, like!], {}),
  },
  {
    op: 'ExpandLike',
    name: 'ExpandLike',
    inputs: { x: [3, 1] },
    fixed: {
      like: { type: 'float64', feed: { shape: [2, 3, 2], data: Array<number>(12).fill(0) } },
    },
    f: (b, { x, like }) => b.op('ExpandLike', [x!, like!], {}),
  },
  {
    op: 'Transpose',
    name: 'Transpose',
    inputs: { x: [2, 3, 4] },
    f: (b, { x }) => b.op('Transpose', [x!], { perm: [2, 0, 1] }),
  },
  {
    op: 'Concat',
    name: 'Concat',
    inputs: { x: [2, 3], y: [2, 1] },
    f: (b, { x, y }) => b.op('Concat', [x!, y!, x!], { axis: -1 }),
  },
  {
    op: 'Slice',
    name: 'Slice',
    inputs: { x: [2, 5] },
    f: (b, { x }) => b.op('Slice', [x!], { axis: 1, start: 1, end: 4 }),
  },
  {
    op: 'PadLike',
    name: 'PadLike',
    inputs: { x: [2, 2] },
    fixed: { like: { type: 'float64', feed: { shape: [2, 5], data: Array<number>(10).fill(0) } } },
    f: (b, { x, like }) => b.op('PadLike', [x!, like!], { axis: 1, start: 2 }),
  },
  {
    op: 'Gather',
    name: 'Gather with repeated rows',
    inputs: { x: [4, 3] },
    fixed: { at: int([2, 3], 1, 0, 1, 3, 3, 3) },
    f: (b, { x, at }) => b.op('Gather', [x!, at!], { axis: 0 }),
  },
  {
    op: 'Gather',
    name: 'Gather of distinct rows',
    inputs: { x: [4, 3] },
    fixed: { at: int([3], 3, 0, 2) },
    f: (b, { x, at }) => b.op('Gather', [x!, at!], { axis: 0, distinct: true }),
  },
  {
    op: 'ScatterAddRows',
    name: 'ScatterAddRows to distinct rows',
    inputs: { x: [2, 3] },
    fixed: {
      at: int([2], 2, 0),
      like: { type: 'float64', feed: { shape: [3, 3], data: Array<number>(9).fill(0) } },
    },
    f: (b, { x, at, like }) => b.op('ScatterAddRows', [at!, x!, like!], { distinct: true }),
  },
  {
    op: 'ScatterAddRows',
    name: 'ScatterAddRows with repeated rows',
    inputs: { x: [4, 3] },
    fixed: {
      at: int([4], 1, 0, 1, 2),
      like: { type: 'float64', feed: { shape: [3, 3], data: Array<number>(9).fill(0) } },
    },
    f: (b, { x, at, like }) => b.op('ScatterAddRows', [at!, x!, like!], {}),
  },
  {
    op: 'PickColumns',
    name: 'PickColumns',
    inputs: { x: [3, 4] },
    fixed: { at: int([3], 1, 3, 0) },
    f: (b, { x, at }) => b.op('PickColumns', [x!, at!], {}),
  },
  {
    op: 'UnpickColumns',
    name: 'UnpickColumns',
    inputs: { x: [3] },
    fixed: {
      at: int([3], 1, 3, 0),
      like: { type: 'float64', feed: { shape: [3, 4], data: Array<number>(12).fill(0) } },
    },
    f: (b, { x, at, like }) => b.op('UnpickColumns', [x!, at!, like!], {}),
  },
  {
    op: 'RmsNorm',
    name: 'RmsNorm',
    inputs: { x: [2, 3, 4], w: [4] },
    f: (b, { x, w }) => b.op('RmsNorm', [x!, w!], { epsilon: 1e-5 }),
  },
  {
    op: 'Rotary',
    name: 'Rotary',
    inputs: { x: [2, 2, 3, 4] },
    f: (b, { x }) => {
      const angles = Array.from({ length: 10 }, (_, i) => i / 3)
      const cos = b.constant('cos', [5, 2], angles.map(Math.cos))
      const sin = b.constant('sin', [5, 2], angles.map(Math.sin))
      return b.op('Rotary', [x!, cos, sin], {})
    },
  },
  {
    op: 'Rotary',
    name: 'Rotary of a part, with stretched tables',
    inputs: { x: [2, 2, 3, 6] },
    f: (b, { x }) => {
      const angles = Array.from({ length: 10 }, (_, i) => i / 3)
      const cos = b.constant(
        'cos',
        [5, 2],
        angles.map((angle) => 1.5 * Math.cos(angle)),
      )
      const sin = b.constant(
        'sin',
        [5, 2],
        angles.map((angle) => 1.5 * Math.sin(angle)),
      )
      return b.op('Rotary', [x!, cos, sin], { dim: 4 })
    },
  },
  {
    op: 'CrossEntropy',
    name: 'CrossEntropy with weights',
    inputs: { x: [3, 4] },
    fixed: {
      at: int([3], 1, 3, 0),
      w: { type: 'float64', feed: { shape: [3], data: [0.5, 0, 2] } },
    },
    f: (b, { x, at, w }) => b.op('CrossEntropy', [x!, at!, w!], {}),
  },
]

const H = 1e-6

for (const test of cases) {
  t.test(`the gradient of ${test.name} agrees with finite differences`, async (t) => {
    const random = createRandom(test.name)
    const { low = -2, high = 2 } = test
    const draw = (shape: readonly number[]): Feed => {
      const count = shape.reduce((n, dim) => n * dim, 1)
      return {
        shape,
        data: Array.from({ length: count }, () => low + (high - low) * random.next()),
      }
    }
    const b = createBuilder('gradient-check', 'float64')
    const values: Record<string, Value> = {}
    for (const [name, shape] of Object.entries(test.inputs))
      values[name] = b.input(name, 'float64', shape)
    for (const [name, { type, feed }] of Object.entries(test.fixed ?? {}))
      values[name] = b.input(name, type, feed.shape)
    const y = test.f(b, values)
    const direction = draw(y.shape.map(Number))
    const c = b.input('direction', 'float64', direction.shape)
    const axes = y.shape.map((_, axis) => axis)
    const loss = b.op('ReduceSum', [b.op('Mul', [y, c], {})], { axes, keepdims: false })
    b.output('loss', loss)
    const names = Object.keys(test.inputs)
    gradients(
      b,
      loss,
      names.map((name) => values[name]!),
    ).forEach((gradient, i) => {
      t.same(gradient.shape, test.inputs[names[i]!], `shape of d${names[i]}`)
      b.output(`d${names[i]}`, gradient)
    })
    const runner = await createGraphRunner(b.build())
    t.teardown(() => runner.dispose())
    const feeds: Record<string, Feed> = { direction }
    for (const [name, shape] of Object.entries(test.inputs)) feeds[name] = draw(shape)
    for (const [name, { feed }] of Object.entries(test.fixed ?? {})) feeds[name] = feed
    const analytic = await runner.run(feeds)
    for (const name of names) {
      const base = feeds[name]!
      for (let i = 0; i < base.data.length; i++) {
        const at = async (delta: number) => {
          const data = base.data.map((value, j) => (j === i ? value + delta : value))
          return (await runner.run({ ...feeds, [name]: { shape: base.shape, data } })).loss![0]!
        }
        const numeric = ((await at(H)) - (await at(-H))) / (2 * H)
        const found = analytic[`d${name}`]![i]!
        const error = Math.abs(found - numeric) / Math.max(1, Math.abs(numeric))
        if (error > 1e-6) t.fail(`d${name}[${i}]: rule ${found}, finite difference ${numeric}`)
      }
    }
    t.equal(analytic.loss!.length, 1)
  })
}

t.test('every operator with a gradient rule has a check above', async (t) => {
  const checked = new Set<string>(cases.map(({ op }) => op))
  const missing = Object.entries(vjpRules).filter(
    ([op, rule]) => rule !== 'none' && !checked.has(op),
  )
  t.same(
    missing.map(([op]) => op),
    [],
  )
})

t.test('asking for a gradient through an operator without one is an error', async (t) => {
  const b = createBuilder('none', 'float64')
  const x = b.input('x', 'float64', [3])
  const best = b.op('Cast', [b.op('ArgMax', [x], { axis: 0 })], { to: 'float64' })
  t.throws(() => gradients(b, best, [x]), { message: /ArgMax has no gradient/ })
})

t.test('a source that the loss does not depend on is an error', async (t) => {
  const b = createBuilder('unused', 'float64')
  const [x, y] = [b.input('x', 'float64', []), b.input('y', 'float64', [])]
  t.throws(() => gradients(b, b.op('Mul', [x, x], {}), [y]), { message: /does not depend on y/ })
})
