/**
 * The gradient of every operator as a vector–Jacobian product: from dy (one per output, null where
 * nothing flows) to dx (one per input, null where it has none). `'none'` marks operators without a
 * gradient; asking for one through them is an error.
 */
import type { Node, Value } from '../graph/graph.ts'
import type { Builder } from '../ops/builder.ts'
import type { OpAttrs, OpType } from '../ops/op-attrs.ts'

export interface VjpArgs<K extends OpType> {
  readonly b: Builder
  readonly node: Node
  readonly attrs: OpAttrs[K]
  /** Inputs and outputs of the node. */
  readonly x: readonly Value[]
  readonly y: readonly Value[]
  /** Gradient of the first output; the rules below need no other. */
  readonly dy: Value
  /** Which inputs need a gradient: work for the others is left out. */
  readonly needs: readonly boolean[]
}

export type VjpRule<K extends OpType> = (args: VjpArgs<K>) => readonly (Value | null)[]

/** Sums a gradient over the axes along which the value was broadcast. */
export function sumTo(b: Builder, gradient: Value, target: Value): Value {
  const extra = gradient.shape.length - target.shape.length
  const lead = Array.from({ length: extra }, (_, i) => i)
  const summed = lead.length
    ? b.op('ReduceSum', [gradient], { axes: lead, keepdims: false })
    : gradient
  const stretched = target.shape.flatMap((dim, i) =>
    dim === 1 && summed.shape[i] !== 1 ? [i] : [],
  )
  return stretched.length
    ? b.op('ReduceSum', [summed], { axes: stretched, keepdims: true })
    : summed
}

const mul = (b: Builder, p: Value, q: Value) => b.op('Mul', [p, q], {})
const sub = (b: Builder, p: Value, q: Value) => b.op('Sub', [p, q], {})

/** dx for a binary operator from two lazily built gradients, summed to the inputs' shapes. */
function pair(args: VjpArgs<OpType>, first: () => Value, second: () => Value): (Value | null)[] {
  const { b, x, needs } = args
  return [needs[0] ? sumTo(b, first(), x[0]!) : null, needs[1] ? sumTo(b, second(), x[1]!) : null]
}

/** The smaller or larger input gets the gradient; on ties the first does. */
const choose =
  (order: (x: readonly Value[]) => [Value, Value]): VjpRule<OpType> =>
  (args) => {
    const { b, x, dy } = args
    const takesFirst = b.op('GreaterOrEqual', order(x), {})
    const zero = b.scalar(0)
    return pair(
      args,
      () => b.op('Where', [takesFirst, dy, zero], {}),
      () => b.op('Where', [takesFirst, zero, dy], {}),
    )
  }

const flatten = (b: Builder, value: Value): Value =>
  value.shape.length === 2
    ? value
    : b.op('Reshape', [value], { shape: [-1, Number(value.shape.at(-1))], dims: ['rows'] })

/** Y = αAB with B a matrix and A stacked rows: dB is one product over all the rows together. */
function matMulByMatrix({ b, x, dy, attrs, needs }: VjpArgs<'MatMul'>): (Value | null)[] {
  const [a, w] = [x[0]!, x[1]!]
  const { transB = false, alpha = 1 } = attrs
  const da = needs[0] ? b.op('MatMul', [dy, w], { transB: !transB, alpha }) : null
  if (!needs[1]) return [da, null]
  const [rowsA, rowsDy] = [flatten(b, a), flatten(b, dy)]
  const operands = transB ? [rowsDy, rowsA] : [rowsA, rowsDy]
  return [da, b.op('MatMul', operands, { transA: true, alpha })]
}

const vjpMatMul: VjpRule<'MatMul'> = (args) => {
  const { b, x, dy, attrs } = args
  const { transA = false, transB = false, alpha = 1 } = attrs
  const [a, w] = [x[0]!, x[1]!]
  if (w.shape.length === 2 && !transA) return matMulByMatrix(args)
  const product = (p: Value, q: Value, tp: boolean, tq: boolean) =>
    b.op('MatMul', [p, q], { transA: tp, transB: tq, alpha })
  return pair(
    args,
    () => (transA ? product(w, dy, transB, true) : product(dy, w, false, !transB)),
    () => (transB ? product(dy, a, true, transA) : product(a, dy, !transA, false)),
  )
}

/** Puts reduced axes back as size 1 so that the gradient broadcasts against the input. */
function unreduce(
  b: Builder,
  dy: Value,
  x: Value,
  axes: readonly number[],
  keepdims: boolean,
): Value {
  if (keepdims || dy.shape.length === x.shape.length) return dy
  const reduced = new Set(axes.map((axis) => (axis < 0 ? axis + x.shape.length : axis)))
  const leadOnly = [...reduced].every((axis) => axis < reduced.size)
  if (leadOnly) return dy
  const ones = b.op('ReduceMax', [x], { axes, keepdims: true })
  return b.op('ReshapeLike', [dy, ones], {})
}

/** y = r·x·w with r = 1/√(mean x² + ε): dx = r(dy∘w − x̂·mean(dy∘w∘x̂)), dw = Σ dy∘x̂, x̂ = r·x */
const vjpRmsNorm: VjpRule<'RmsNorm'> = ({ b, x, y, dy, needs }) => {
  const normalised = mul(b, x[0]!, y[1]!)
  const scaled = mul(b, dy, x[1]!)
  const dx = () => {
    const mean = b.op('ReduceMean', [mul(b, scaled, normalised)], { axes: [-1], keepdims: true })
    return mul(b, sub(b, scaled, mul(b, normalised, mean)), y[1]!)
  }
  return [needs[0] ? dx() : null, needs[1] ? sumTo(b, mul(b, dy, normalised), x[1]!) : null]
}

/**
 * y = ½x(1 + t), t = tanh(u), u = √(2/π)(x + 0.044715x³):
 * dx = dy·½(1 + t + x(1 − t²)·√(2/π)(1 + 3·0.044715x²))
 */
const vjpGeluTanh: VjpRule<'GeluTanh'> = ({ b, x: [x], dy }) => {
  const add = (p: Value, q: Value) => b.op('Add', [p, q], {})
  const root = b.scalar(Math.sqrt(2 / Math.PI))
  const cubic = mul(b, mul(b, x!, x!), b.scalar(0.044715))
  const t = b.op('Tanh', [mul(b, mul(b, x!, add(cubic, b.scalar(1))), root)], {})
  const du = mul(b, add(mul(b, cubic, b.scalar(3)), b.scalar(1)), root)
  const steep = mul(b, mul(b, x!, sub(b, b.scalar(1), mul(b, t, t))), du)
  return [mul(b, dy, mul(b, add(add(t, b.scalar(1)), steep), b.scalar(0.5)))]
}

const vjpReduceMax: VjpRule<'ReduceMax'> = ({ b, x, y, dy, attrs }) => {
  const [peak, gradient] = [y[0]!, dy].map((v) => unreduce(b, v, x[0]!, attrs.axes, attrs.keepdims))
  const isPeak = b.op('GreaterOrEqual', [x[0]!, peak!], {})
  return [b.op('Where', [isPeak, b.op('ExpandLike', [gradient!, x[0]!], {}), b.scalar(0)], {})]
}

export const vjpRules: { readonly [K in OpType]: VjpRule<K> | 'none' } = {
  Add: (args) =>
    pair(
      args,
      () => args.dy,
      () => args.dy,
    ),
  Sub: (args) =>
    pair(
      args,
      () => args.dy,
      () => args.b.op('Neg', [args.dy], {}),
    ),
  Mul: (args) =>
    pair(
      args,
      () => mul(args.b, args.dy, args.x[1]!),
      () => mul(args.b, args.dy, args.x[0]!),
    ),
  // d(p/q) = dp/q − y·dq/q
  Div: (args) => {
    const { b, x, y, dy } = args
    const quotient = b.op('Div', [dy, x[1]!], {})
    return pair(
      args,
      () => quotient,
      () => b.op('Neg', [mul(b, quotient, y[0]!)], {}),
    )
  },
  Min: choose((x) => [x[1]!, x[0]!]),
  Max: choose((x) => [x[0]!, x[1]!]),
  Neg: ({ b, dy }) => [b.op('Neg', [dy], {})],
  Exp: ({ b, y, dy }) => [mul(b, dy, y[0]!)],
  Log: ({ b, x, dy }) => [b.op('Div', [dy, x[0]!], {})],
  // d√x = dy / (2√x)
  Sqrt: ({ b, y, dy }) => [b.op('Div', [mul(b, dy, b.scalar(0.5)), y[0]!], {})],
  // d(1/x) = −dy·y²
  Reciprocal: ({ b, y, dy }) => [b.op('Neg', [mul(b, dy, mul(b, y[0]!, y[0]!))], {})],
  // dσ = dy·y(1 − y)
  Sigmoid: ({ b, y, dy }) => [mul(b, dy, mul(b, y[0]!, sub(b, b.scalar(1), y[0]!)))],
  Tanh: ({ b, y, dy }) => [mul(b, dy, sub(b, b.scalar(1), mul(b, y[0]!, y[0]!)))],
  // y = xσ(x): dy·(σ + y(1 − σ))
  Silu: ({ b, x, y, dy }) => {
    const s = b.op('Sigmoid', [x[0]!], {})
    const slope = b.op('Add', [s, mul(b, y[0]!, sub(b, b.scalar(1), s))], {})
    return [mul(b, dy, slope)]
  },
  GeluTanh: vjpGeluTanh,
  Where: ({ b, x, dy, needs }) => [
    null,
    needs[1] ? sumTo(b, b.op('Where', [x[0]!, dy, b.scalar(0)], {}), x[1]!) : null,
    needs[2] ? sumTo(b, b.op('Where', [x[0]!, b.scalar(0), dy], {}), x[2]!) : null,
  ],
  GreaterOrEqual: 'none',
  Cast: ({ b, x, dy }) => [b.op('Cast', [dy], { to: x[0]!.type })],
  MatMul: vjpMatMul,
  ReduceSum: ({ b, x, dy, attrs }) => [
    b.op('ExpandLike', [unreduce(b, dy, x[0]!, attrs.axes, attrs.keepdims), x[0]!], {}),
  ],
  // The count is data-dependent, so it is measured as (mean of x) / (sum of x) of ones.
  ReduceMean: ({ b, x, dy, attrs }) => {
    const ones = b.op('ExpandLike', [b.scalar(1), x[0]!], {})
    const count = b.op('ReduceSum', [ones], { axes: attrs.axes, keepdims: true })
    const spread = unreduce(b, dy, x[0]!, attrs.axes, attrs.keepdims)
    return [b.op('ExpandLike', [b.op('Div', [spread, count], {}), x[0]!], {})]
  },
  ReduceMax: vjpReduceMax,
  // y = softmax(x): dx = (dy − Σ dy∘y) ∘ y
  Softmax: ({ b, y, dy }) => {
    const dot = b.op('ReduceSum', [mul(b, dy, y[0]!)], { axes: [-1], keepdims: true })
    return [mul(b, sub(b, dy, dot), y[0]!)]
  },
  // y = log softmax(x): dx = dy − exp(y) Σ dy
  LogSoftmax: ({ b, y, dy }) => {
    const total = b.op('ReduceSum', [dy], { axes: [-1], keepdims: true })
    return [sub(b, dy, mul(b, b.op('Exp', [y[0]!], {}), total))]
  },
  ArgMax: 'none',
  Reshape: ({ b, x, dy }) => [b.op('ReshapeLike', [dy, x[0]!], {})],
  ReshapeLike: ({ b, x, dy }) => [b.op('ReshapeLike', [dy, x[0]!], {}), null],
  ExpandLike: ({ b, x, dy }) => [sumTo(b, dy, x[0]!), null],
  Transpose: ({ b, dy, attrs }) => {
    const inverse = attrs.perm.map((_, axis) => attrs.perm.indexOf(axis))
    return [b.op('Transpose', [dy], { perm: inverse })]
  },
  Concat: ({ b, x, dy, attrs }) => {
    let start = 0
    return x.map((part) => {
      const end = start + Number(part.shape.at(attrs.axis))
      const slice = b.op('Slice', [dy], { axis: attrs.axis, start, end })
      start = end
      return slice
    })
  },
  Slice: ({ b, x, dy, attrs }) => [
    b.op('PadLike', [dy, x[0]!], { axis: attrs.axis, start: attrs.start }),
  ],
  PadLike: ({ b, x, dy, attrs }) => {
    const end = attrs.start + Number(x[0]!.shape.at(attrs.axis))
    return [b.op('Slice', [dy], { axis: attrs.axis, start: attrs.start, end }), null]
  },
  ArangeLike: 'none',
  Gather: ({ b, x, dy, attrs }) => {
    if (attrs.axis !== 0) throw new Error('internal: Gather has a gradient on axis 0 only')
    const indices = b.op('Reshape', [x[1]!], { shape: [-1], dims: ['rows'] })
    const rows = flatten(b, dy)
    const { distinct = false } = attrs
    return [b.op('ScatterAddRows', [indices, rows, x[0]!], { distinct }), null]
  },
  ScatterAddRows: ({ b, x, dy }) => [null, b.op('Gather', [dy, x[0]!], { axis: 0 }), null],
  PickColumns: ({ b, x, dy }) => [b.op('UnpickColumns', [dy, x[1]!, x[0]!], {}), null],
  UnpickColumns: ({ b, x, dy }) => [b.op('PickColumns', [dy, x[1]!], {}), null, null],
  RmsNorm: vjpRmsNorm,
  // A rotation's adjoint is the rotation by the opposite angle.
  Rotary: ({ b, x, dy, attrs }) => [
    b.op('Rotary', [dy, x[1]!, b.op('Neg', [x[2]!], {})], attrs),
    null,
    null,
  ],
  RotaryAt: 'none',
  CrossEntropy: ({ b, x, y, dy }) => [
    b.op('CrossEntropyGrad', [y[1]!, x[1]!, x[2]!, dy], {}),
    null,
    null,
  ],
  CrossEntropyGrad: 'none',
  GroupQueryAttention: 'none',
  SkipRmsNorm: 'none',
  MatMulNBits: 'none',
  GatherBlockQuantized: 'none',
}
