/**
 * What every operator computes on ONNX Runtime, against textbook formulas on plain numbers, in
 * float32 (fused kernels) and float64 (the same equations from plain operators). Differences are
 * relative to max(1, |value|): 1e-5 covers sums of a dozen float32 products, and the fused
 * transcendental kernels; 1e-12 the same in float64.
 */
import t from 'tap'
import { createBuilder } from '../../src/ops/builder.ts'
import { emitRules } from '../../src/ops/emit-rules.ts'
import type { Value } from '../../src/graph/graph.ts'
import type { OpAttrs, OpType } from '../../src/ops/op-attrs.ts'
import { createRandom } from '../../src/util/random.ts'
import {
  at,
  indexed,
  largestDifference,
  map,
  matMul,
  reduce,
  sizeOf,
  softmax,
  sum,
  swapLast,
  transpose,
  zip,
  type NdArray,
} from '../fixtures/nd-array.ts'
import { createGraphRunner } from '../fixtures/run-graph.ts'

interface Case {
  readonly op: OpType
  readonly attrs: OpAttrs[OpType]
  /** A shape (numbers drawn from [low, high)) or int64 indices. */
  readonly inputs: readonly (readonly number[] | { readonly int64: NdArray })[]
  readonly low?: number
  readonly expected: (...x: NdArray[]) => NdArray | NdArray[]
}

const cases: Case[] = []

/** Adds a case; the operator's name decides the type of its attributes. */
function check<K extends OpType>(
  op: K,
  inputs: Case['inputs'],
  attrs: OpAttrs[K],
  expected: Case['expected'],
  low = -2,
): void {
  cases.push({ op, attrs, inputs, expected, low })
}

const ints = (shape: number[], ...data: number[]) => ({ int64: { shape, data } })
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x))

const binary: [OpType, (a: number, b: number) => number][] = [
  ['Add', (a, b) => a + b],
  ['Sub', (a, b) => a - b],
  ['Mul', (a, b) => a * b],
  ['Div', (a, b) => a / b],
  ['Min', Math.min],
  ['Max', Math.max],
  ['GreaterOrEqual', (a, b) => Number(a >= b)],
]
for (const [op, f] of binary) {
  const low = op === 'Div' ? 0.5 : -2
  for (const shapes of [
    [[2, 3], [3]],
    [
      [2, 1, 2],
      [3, 1],
    ],
    [[], [2]],
  ])
    check(op, shapes, {}, (a, b) => zip(a!, b!, f), low)
}
check('GreaterOrEqual', [ints([3], 1, 2, 3), ints([3], 2, 2, 2)], {}, () => ({
  shape: [3],
  data: [0, 1, 1],
}))

const unary: [OpType, (x: number) => number, number?][] = [
  ['Neg', (x) => -x],
  ['Exp', Math.exp],
  ['Log', Math.log, 0.1],
  ['Sqrt', Math.sqrt, 0],
  ['Reciprocal', (x) => 1 / x, 0.5],
  ['Sigmoid', sigmoid],
  ['Tanh', Math.tanh],
  ['Silu', (x) => x * sigmoid(x), -8],
  ['GeluTanh', (x) => (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))],
]
for (const [op, f, low] of unary) check(op, [[2, 9]], {}, (x) => map(x!, f), low)

check('Cast', [[2, 3]], { to: 'int64' }, (x) => map(x!, Math.trunc), -9)
check('Cast', [[2, 3]], { to: 'int32' }, (x) => map(x!, Math.trunc), -9)
check('Cast', [ints([3], -1, 0, 7)], { to: 'float32' }, (x) => x!)
check('Cast', [ints([3], -1, 0, 7)], { to: 'float64' }, (x) => x!)

for (const [a, b] of [
  [
    [3, 4],
    [4, 5],
  ],
  [
    [2, 3, 4],
    [4, 5],
  ],
  [
    [2, 2, 3, 4],
    [2, 1, 4, 5],
  ],
] as [number[], number[]][]) {
  const flip = (shape: number[]) => [...shape.slice(0, -2), shape.at(-1)!, shape.at(-2)!]
  check('MatMul', [a, b], {}, (x, y) => matMul(x!, y!))
  check('MatMul', [a, flip(b)], { transB: true, alpha: 0.25 }, (x, y) =>
    map(matMul(x!, swapLast(y!)), (value) => value * 0.25),
  )
  check('MatMul', [flip(a), b], { transA: true }, (x, y) => matMul(swapLast(x!), y!))
  check('MatMul', [flip(a), flip(b)], { transA: true, transB: true }, (x, y) =>
    matMul(swapLast(x!), swapLast(y!)),
  )
}

const folds = {
  ReduceSum: sum,
  ReduceMean: (values: number[]) => sum(values) / values.length,
  ReduceMax: (values: number[]) => Math.max(...values),
} as const
for (const [op, fold] of Object.entries(folds) as [keyof typeof folds, typeof sum][]) {
  const f = fold as (values: number[]) => number
  check(op, [[2, 3, 4]], { axes: [-1], keepdims: true }, (x) => reduce(x!, [2], true, f))
  check(op, [[2, 3, 4]], { axes: [0, 2], keepdims: false }, (x) => reduce(x!, [0, 2], false, f))
  check(op, [[5]], { axes: [0], keepdims: false }, (x) => reduce(x!, [0], false, f))
}
check('ReduceMax', [ints([3], 4, 9, 2)], { axes: [0], keepdims: true }, () => ({
  shape: [1],
  data: [9],
}))
check('Softmax', [[2, 3, 4]], {}, (x) => softmax(x!), -30)
check('LogSoftmax', [[2, 5]], {}, (x) => map(softmax(x!), Math.log), -30)
for (const axis of [0, 1])
  check('ArgMax', [[3, 5]], { axis }, (x) =>
    reduce(x!, [axis], false, (values) => values.indexOf(Math.max(...values))),
  )

const reshaped = (shape: number[]) => (x?: NdArray) => ({ shape, data: x!.data })
check('Reshape', [[2, 3, 4]], { shape: [0, -1] }, reshaped([2, 12]))
check('Reshape', [[2, 12]], { shape: [0, 2, 2, 3] }, reshaped([2, 2, 2, 3]))
check(
  'ReshapeLike',
  [
    [2, 6],
    [3, 4],
  ],
  {},
  reshaped([3, 4]),
)
check(
  'ExpandLike',
  [
    [3, 1],
    [2, 3, 4],
  ],
  {},
  (x, like) => zip(x!, like!, (value) => value),
)
check('Transpose', [[2, 3, 4]], { perm: [2, 0, 1] }, (x) => transpose(x!, [2, 0, 1]))
check(
  'Concat',
  [
    [2, 3],
    [2, 1],
  ],
  { axis: -1 },
  (a, b) => indexed([2, 4], ([r, c]) => (c! < 3 ? at(a!, [r!, c!]) : at(b!, [r!, 0]))),
)
check('Slice', [[2, 6]], { axis: 1, start: 2, end: 5 }, (x) =>
  indexed([2, 3], ([r, c]) => at(x!, [r!, c! + 2])),
)
check(
  'PadLike',
  [
    [2, 2],
    [2, 5],
  ],
  { axis: 1, start: 2 },
  (x) => indexed([2, 5], ([r, c]) => (c! >= 2 && c! < 4 ? at(x!, [r!, c! - 2]) : 0)),
)
for (const axis of [0, 1])
  check('ArangeLike', [[2, 5]], { axis }, (x) => indexed([x!.shape[axis]!], ([i]) => i!))

const rows = ints([2, 3], 1, 0, 1, 3, 3, 2)
check('Gather', [[4, 3], rows], { axis: 0 }, (x, i) =>
  indexed([2, 3, 3], ([p, q, c]) => at(x!, [at(i!, [p!, q!]), c!])),
)
check('Gather', [[2, 4, 3], ints([2], 3, 1)], { axis: 1 }, (x, i) =>
  indexed([2, 2, 3], ([b, p, c]) => at(x!, [b!, at(i!, [p!]), c!])),
)
const scattered = ints([5], 1, 0, 1, 1, 3)
check('ScatterAddRows', [scattered, [5, 2], [4, 2]], {}, (i, updates) =>
  indexed([4, 2], ([r, c]) =>
    sum(i!.data.map((row, t) => (row === r ? at(updates!, [t, c!]) : 0))),
  ),
)
const columns = ints([3], 1, 3, 0)
check('PickColumns', [[3, 4], columns], {}, (x, i) =>
  indexed([3], ([r]) => at(x!, [r!, i!.data[r!]!])),
)
check('UnpickColumns', [[3], columns, [3, 4]], {}, (x, i) =>
  indexed([3, 4], ([r, c]) => (c === i!.data[r!] ? x!.data[r!]! : 0)),
)
check('RmsNorm', [[2, 3, 8], [8]], { epsilon: 1e-2 }, (x, w) => {
  const meanSquare = reduce(x!, [2], true, (v) => sum(v.map((e) => e * e)) / v.length)
  const inverse = map(meanSquare, (m) => 1 / Math.sqrt(m + 1e-2))
  return [
    zip(
      zip(x!, inverse, (a, b) => a * b),
      w!,
      (a, b) => a * b,
    ),
    inverse,
  ]
})

check('SkipRmsNorm', [[2, 3, 8], [2, 3, 8], [8]], { epsilon: 1e-2 }, (x, skip, w) => {
  const total = zip(x!, skip!, (a, b) => a + b)
  const meanSquare = reduce(total, [2], true, (v) => sum(v.map((e) => e * e)) / v.length)
  const inverse = map(meanSquare, (m) => 1 / Math.sqrt(m + 1e-2))
  const scaled = zip(total, inverse, (a, b) => a * b)
  return [zip(scaled, w!, (a, b) => a * b), total]
})

/** Rotates the two halves of a head: (a, b) → (a cos − b sin, b cos + a sin). */
const rotated = (
  half: number,
  value: (c: number) => number,
  cos: number,
  sin: number,
  c: number,
) => (c < half ? value(c) * cos - value(c + half) * sin : value(c) * cos + value(c - half) * sin)
for (const dim of [8, 4]) {
  const half = dim / 2
  const tables = [
    [5, half],
    [5, half],
  ]
  const attrs = dim === 8 ? {} : { dim }
  check('Rotary', [[2, 2, 3, 8], ...tables], attrs, (x, cos, sin) =>
    indexed([2, 2, 3, 8], ([b, n, s, c]) => {
      const value = (i: number) => at(x!, [b!, n!, s!, i])
      if (c! >= dim) return value(c!)
      return rotated(half, value, at(cos!, [s!, c! % half]), at(sin!, [s!, c! % half]), c!)
    }),
  )
  const positions = ints([2, 3], 0, 1, 2, 4, 3, 0)
  check(
    'RotaryAt',
    [[2, 3, 16], positions, ...tables],
    { numHeads: 2, ...attrs },
    (x, p, cos, sin) =>
      indexed([2, 3, 16], ([b, s, e]) => {
        const [head, c, position] = [Math.floor(e! / 8) * 8, e! % 8, at(p!, [b!, s!])]
        const value = (i: number) => at(x!, [b!, s!, head + i])
        if (c >= dim) return value(c)
        const [co, si] = [at(cos!, [position, c % half]), at(sin!, [position, c % half])]
        return rotated(half, value, co, si, c)
      }),
  )
}
check('CrossEntropy', [[3, 4], columns, [3]], {}, (x, i, w) => {
  const logp = map(softmax(x!), Math.log)
  const loss = sum(w!.data.map((weight, r) => -weight * at(logp, [r, i!.data[r]!])))
  return [{ shape: [], data: [loss] }, logp]
})
check('CrossEntropyGrad', [[3, 4], columns, [3], []], {}, (logp, i, w, dloss) =>
  indexed([3, 4], ([r, c]) => {
    const target = c === i!.data[r!] ? 1 : 0
    return (Math.exp(at(logp!, [r!, c!])) - target) * w!.data[r!]! * dloss!.data[0]!
  }),
)

/** Kernels that exist in float32 only. */
const onlyFloat32: OpType[] = ['RotaryAt', 'SkipRmsNorm']

for (const float of ['float32', 'float64'] as const) {
  const tolerance = float === 'float32' ? 1e-5 : 1e-12
  for (const { op, attrs, inputs, expected, low = -2 } of cases) {
    if (float === 'float64' && onlyFloat32.includes(op)) continue
    const shapes = inputs.map((spec) =>
      'int64' in spec ? `int64[${spec.int64.shape}]` : `[${spec}]`,
    )
    const title = `${op}(${shapes.join(', ')}) ${JSON.stringify(attrs)} in ${float}`
    t.test(title, async (t) => {
      const random = createRandom(title)
      const b = createBuilder('one-op', float)
      const feeds: Record<string, NdArray> = {}
      const values = inputs.map((spec, i): Value => {
        const name = `x${i}`
        if ('int64' in spec) {
          feeds[name] = spec.int64
          return b.input(name, 'int64', spec.int64.shape)
        }
        const draw = () => Math.fround(low + (2 - low) * random.next())
        feeds[name] = { shape: spec, data: Array.from({ length: sizeOf(spec) }, draw) }
        return b.input(name, float, spec)
      })
      const outputs = b.ops(op, values, attrs)
      outputs.forEach((value, i) => b.output(`y${i}`, value))
      const runner = await createGraphRunner(b.build())
      t.teardown(() => runner.dispose())
      const found = await runner.run(feeds)
      const wanted = [expected(...Object.values(feeds))].flat()
      t.equal(outputs.length, wanted.length)
      wanted.forEach(({ shape, data }, i) => {
        t.same(outputs[i]!.shape, shape, `inferred shape of output ${i}`)
        const difference = largestDifference(found[`y${i}`]!, data)
        t.ok(difference < tolerance, `output ${i}: largest difference ${difference}`)
      })
    })
  }
}

t.test('Where takes each element from one of its branches', async (t) => {
  for (const float of ['float32', 'float64'] as const) {
    const b = createBuilder('where', float)
    const [x, y] = [b.input('x', float, [2, 3]), b.input('y', float, [3])]
    b.output('z', b.op('Where', [b.op('GreaterOrEqual', [x, y], {}), x, y], {}))
    const runner = await createGraphRunner(b.build())
    const { z } = await runner.run({
      x: { shape: [2, 3], data: [1, 2, 3, 4, 5, 6] },
      y: { shape: [3], data: [2, 2, 5] },
    })
    t.same(z, [2, 2, 5, 4, 5, 6])
    runner.dispose()
  }
})

t.test('every operator has a value test', async (t) => {
  const elsewhere = ['Where', 'GroupQueryAttention', 'MatMulNBits', 'GatherBlockQuantized']
  const tested = new Set<string>([...cases.map(({ op }) => op), ...elsewhere])
  t.same(
    Object.keys(emitRules).filter((op) => !tested.has(op)),
    [],
  )
})
