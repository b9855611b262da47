/** Shape and type of every operator's outputs; wrong inputs are `internal:` errors. */
import type { Dim, ElementType, Value } from '../graph/graph.ts'
import type { OpAttrs, OpType } from './op-attrs.ts'

export interface OutputSpec {
  readonly type: ElementType
  readonly shape: readonly Dim[]
}

export type ShapeRule<K extends OpType> = (
  inputs: readonly (Value | null)[],
  attrs: OpAttrs[K],
) => readonly OutputSpec[]

const arg = (inputs: readonly (Value | null)[], i: number): Value => {
  const value = inputs[i]
  if (!value) throw new Error(`internal: input ${i} is missing`)
  return value
}

const text = (value: Value) => `${value.name} ${value.type}[${value.shape.join(',')}]`

function broadcastDim(a: Dim, b: Dim, where: string): Dim {
  if (a === b || b === 1) return a
  if (a === 1) return b
  throw new Error(`internal: ${where}: dimensions ${a} and ${b} do not broadcast`)
}

export function broadcastShape(a: readonly Dim[], b: readonly Dim[], where: string): Dim[] {
  const rank = Math.max(a.length, b.length)
  return Array.from({ length: rank }, (_, i) =>
    broadcastDim(a[i - (rank - a.length)] ?? 1, b[i - (rank - b.length)] ?? 1, where),
  )
}

const unary: ShapeRule<OpType> = (inputs) => {
  const x = arg(inputs, 0)
  return [{ type: x.type, shape: x.shape }]
}

const binary: ShapeRule<OpType> = (inputs) => {
  const a = arg(inputs, 0)
  const b = arg(inputs, 1)
  if (a.type !== b.type) throw new Error(`internal: ${text(a)} and ${text(b)} differ in type`)
  return [{ type: a.type, shape: broadcastShape(a.shape, b.shape, `${text(a)}, ${text(b)}`) }]
}

const axisOf = (axis: number, rank: number) => (axis < 0 ? axis + rank : axis)

const reduce: ShapeRule<'ReduceSum' | 'ReduceMean' | 'ReduceMax'> = (
  inputs,
  { axes, keepdims },
) => {
  const x = arg(inputs, 0)
  const reduced = new Set(axes.map((axis) => axisOf(axis, x.shape.length)))
  const shape = keepdims
    ? x.shape.map((dim, i) => (reduced.has(i) ? 1 : dim))
    : x.shape.filter((_, i) => !reduced.has(i))
  return [{ type: x.type, shape }]
}

const like: ShapeRule<OpType> = (inputs) => [
  { type: arg(inputs, 0).type, shape: arg(inputs, 1).shape },
]

function matMulShape(a: Value, b: Value, transA: boolean, transB: boolean): Dim[] {
  if (a.shape.length < 2 || b.shape.length < 2 || a.type !== b.type)
    throw new Error(`internal: MatMul of ${text(a)} and ${text(b)}`)
  const [m, k] = transA ? [a.shape.at(-1)!, a.shape.at(-2)!] : [a.shape.at(-2)!, a.shape.at(-1)!]
  const [k2, n] = transB ? [b.shape.at(-1)!, b.shape.at(-2)!] : [b.shape.at(-2)!, b.shape.at(-1)!]
  if (k !== k2) throw new Error(`internal: MatMul of ${text(a)} and ${text(b)}: ${k} ≠ ${k2}`)
  const lead = broadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2), 'MatMul')
  return [...lead, m, n]
}

function reshapeShape(x: Value, attrs: OpAttrs['Reshape']): Dim[] {
  const known = x.shape.every((dim) => typeof dim === 'number')
  const total = known ? x.shape.reduce<number>((n, dim) => n * Number(dim), 1) : NaN
  const fixed = attrs.shape.map((dim, i): Dim => (dim === 0 ? x.shape[i]! : dim))
  return fixed.map((dim, i): Dim => {
    if (dim !== -1) return dim
    const named = attrs.dims?.[i]
    if (named !== undefined) return named
    const rest = fixed.reduce<number>((n, d) => (d === -1 ? n : n * Number(d)), 1)
    if (!Number.isInteger(total / rest))
      throw new Error(`internal: Reshape of ${text(x)} to [${attrs.shape}] needs a name for −1`)
    return total / rest
  })
}

export const shapeRules: { readonly [K in OpType]: ShapeRule<K> } = {
  Add: binary,
  Sub: binary,
  Mul: binary,
  Div: binary,
  Min: binary,
  Max: binary,
  Neg: unary,
  Exp: unary,
  Log: unary,
  Sqrt: unary,
  Reciprocal: unary,
  Sigmoid: unary,
  Tanh: unary,
  Silu: unary,
  GeluTanh: unary,
  Where: (inputs) => binary([inputs[1]!, inputs[2]!], {}),
  GreaterOrEqual: (inputs) => [{ ...binary(inputs, {})[0]!, type: 'bool' }],
  Cast: (inputs, { to }) => [{ type: to, shape: arg(inputs, 0).shape }],
  MatMul: (inputs, { transA = false, transB = false }) => {
    const a = arg(inputs, 0)
    return [{ type: a.type, shape: matMulShape(a, arg(inputs, 1), transA, transB) }]
  },
  ReduceSum: reduce,
  ReduceMean: reduce,
  ReduceMax: reduce,
  Softmax: unary,
  LogSoftmax: unary,
  ArgMax: (inputs, { axis }) => [
    { type: 'int64', shape: reduce(inputs, { axes: [axis], keepdims: false })[0]!.shape },
  ],
  Reshape: (inputs, attrs) => {
    const x = arg(inputs, 0)
    return [{ type: x.type, shape: reshapeShape(x, attrs) }]
  },
  ReshapeLike: like,
  ExpandLike: like,
  Transpose: (inputs, { perm }) => {
    const x = arg(inputs, 0)
    return [{ type: x.type, shape: perm.map((axis) => x.shape[axis]!) }]
  },
  Concat: (inputs, { axis }) => {
    const x = arg(inputs, 0)
    const at = axisOf(axis, x.shape.length)
    const sizes = inputs.map((_, i) => arg(inputs, i).shape[at]!)
    const size = sizes.every((n) => typeof n === 'number')
      ? sizes.reduce<number>((n, m) => n + Number(m), 0)
      : sizes.join('+')
    return [{ type: x.type, shape: x.shape.map((dim, i) => (i === at ? size : dim)) }]
  },
  Slice: (inputs, { axis, start, end }) => {
    const x = arg(inputs, 0)
    const at = axisOf(axis, x.shape.length)
    return [{ type: x.type, shape: x.shape.map((dim, i) => (i === at ? end - start : dim)) }]
  },
  PadLike: like,
  ArangeLike: (inputs, { axis }) => {
    const x = arg(inputs, 0)
    return [{ type: 'int64', shape: [x.shape[axisOf(axis, x.shape.length)]!] }]
  },
  Gather: (inputs, { axis }) => {
    const { type, shape } = arg(inputs, 0)
    const indices = arg(inputs, 1).shape
    return [{ type, shape: [...shape.slice(0, axis), ...indices, ...shape.slice(axis + 1)] }]
  },
  ScatterAddRows: (inputs) => [{ type: arg(inputs, 1).type, shape: arg(inputs, 2).shape }],
  PickColumns: (inputs) => {
    const data = arg(inputs, 0)
    return [{ type: data.type, shape: [data.shape[0]!] }]
  },
  UnpickColumns: (inputs) => [{ type: arg(inputs, 0).type, shape: arg(inputs, 2).shape }],
  RmsNorm: (inputs) => {
    const x = arg(inputs, 0)
    return [
      { type: x.type, shape: x.shape },
      { type: x.type, shape: [...x.shape.slice(0, -1), 1] },
    ]
  },
  Rotary: unary,
  RotaryAt: unary,
  CrossEntropy: (inputs) => {
    const logits = arg(inputs, 0)
    return [
      { type: logits.type, shape: [] },
      { type: logits.type, shape: logits.shape },
    ]
  },
  CrossEntropyGrad: unary,
  GroupQueryAttention: (inputs, { numHeads, kvHeads }) => {
    const query = arg(inputs, 0)
    const past = inputs[3]
    const width = Number(query.shape.at(-1))
    const size = inputs[1] ? width : (width / (numHeads + 2 * kvHeads)) * numHeads
    const outputs: OutputSpec[] = [{ type: query.type, shape: [...query.shape.slice(0, -1), size] }]
    if (past)
      outputs.push(...[3, 4].map((i) => ({ type: query.type, shape: arg(inputs, i).shape })))
    return outputs
  },
  SkipRmsNorm: (inputs) => {
    const { type, shape } = arg(inputs, 0)
    return [
      { type, shape },
      { type, shape },
    ]
  },
  MatMulNBits: (inputs, { bits, blockSize }) => {
    const [x, blocks] = [arg(inputs, 0), arg(inputs, 1)]
    const [N, count, bytes] = blocks.shape as [number, number, number]
    if (x.shape.at(-1) !== count * blockSize || bytes * 8 !== blockSize * bits)
      throw new Error(`internal: MatMulNBits of ${text(x)} and ${text(blocks)}`)
    return [{ type: x.type, shape: [...x.shape.slice(0, -1), N] }]
  },
  GatherBlockQuantized: (inputs, { bits }) => {
    const [data, ids, scales] = [arg(inputs, 0), arg(inputs, 1), arg(inputs, 2)]
    return [{ type: scales.type, shape: [...ids.shape, (Number(data.shape[1]) * 8) / bits] }]
  },
}
