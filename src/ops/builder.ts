/** Records operators into a graph. Shapes are inferred and checked as they are added. */
import type {
  Dim,
  ElementType,
  Graph,
  GraphOutput,
  Initializer,
  Node,
  Value,
  WeightSource,
} from '../graph/graph.ts'
import { eliminateDeadNodes } from '../graph/passes/eliminate-dead-nodes.ts'
import { float32ToFloat16 } from '../weights/float-conversion.ts'
import { verifyGraph } from '../graph/verify.ts'
import type { OpAttrs, OpType } from './op-attrs.ts'
import { shapeRules, type ShapeRule } from './shape-rules.ts'

export interface Builder {
  /** The type of activations: float32; float64 where gradients are checked, float16 on accelerators. */
  readonly float: ElementType
  input(name: string, type: ElementType, shape: readonly Dim[]): Value
  weight(name: string, type: ElementType, shape: readonly number[], source: WeightSource): Value
  /** A constant of the builder's float type. Equal scalars are recorded once. */
  scalar(value: number): Value
  /** An int64 constant of shape []. */
  int64(value: number): Value
  /** A constant tensor of the builder's float type. */
  constant(name: string, shape: readonly number[], data: ArrayLike<number>): Value
  op<K extends OpType>(type: K, inputs: readonly (Value | null)[], attrs: OpAttrs[K]): Value
  ops<K extends OpType>(
    type: K,
    inputs: readonly (Value | null)[],
    attrs: OpAttrs[K],
  ): readonly Value[]
  output(name: string, value: Value): void
  /** The node that made a value; undefined for inputs and weights. */
  producer(value: Value): Node | undefined
  readonly nodes: readonly Node[]
  build(): Graph
}

type FloatType = 'float32' | 'float64' | 'float16'

/** Numbers as little-endian bytes of a float type. */
export const floatBytes = (type: ElementType, data: ArrayLike<number>): Uint8Array<ArrayBuffer> => {
  if (type === 'float16') return new Uint8Array(float32ToFloat16(Float32Array.from(data)).buffer)
  const array = type === 'float64' ? Float64Array.from(data) : Float32Array.from(data)
  return new Uint8Array(array.buffer)
}

export function createBuilder(name: string, float: FloatType = 'float32'): Builder {
  const inputs: Value[] = []
  const outputs: GraphOutput[] = []
  const initializers: Initializer[] = []
  const nodes: Node[] = []
  const producers = new Map<Value, Node>()
  const scalars = new Map<number, Value>()
  let nextId = 0
  const newValue = (valueName: string | null, type: ElementType, shape: readonly Dim[]): Value => {
    const id = nextId++
    return Object.freeze({
      id,
      name: valueName ?? `v${id}`,
      type,
      shape: Object.freeze([...shape]),
    })
  }

  const builder: Builder = {
    float,
    nodes,
    input(inputName, type, shape) {
      const value = newValue(inputName, type, shape)
      inputs.push(value)
      return value
    },
    weight(weightName, type, shape, source) {
      const value = newValue(weightName, type, shape)
      initializers.push({ value, source })
      return value
    },
    scalar(number) {
      const known = scalars.get(number)
      if (known) return known
      const value = builder.constant(`scalar_${scalars.size}`, [], [number])
      scalars.set(number, value)
      return value
    },
    int64(value) {
      const bytes = new Uint8Array(BigInt64Array.of(BigInt(value)).buffer)
      return builder.weight(`int64_${nextId}`, 'int64', [], { kind: 'data', bytes })
    },
    constant(constantName, shape, data) {
      return builder.weight(constantName, float, shape, {
        kind: 'data',
        bytes: floatBytes(float, data),
      })
    },
    op(type, opInputs, attrs) {
      return builder.ops(type, opInputs, attrs)[0]!
    },
    ops(type, opInputs, attrs) {
      const rule = shapeRules[type] as ShapeRule<typeof type>
      const made = rule(opInputs, attrs).map((spec) => newValue(null, spec.type, spec.shape))
      const node = Object.freeze({
        op: type,
        inputs: opInputs,
        outputs: made,
        attrs: Object.freeze({ ...attrs }),
      })
      nodes.push(node)
      for (const value of made) producers.set(value, node)
      return made
    },
    output(outputName, value) {
      outputs.push({ name: outputName, value })
    },
    producer: (value) => producers.get(value),
    build: () => verifyGraph(eliminateDeadNodes({ name, inputs, outputs, initializers, nodes })),
  }
  return builder
}
