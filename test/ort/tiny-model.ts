/** Tiny ONNX models as bytes, with just enough protobuf: enough to test the runtime, no more. */

type Field = readonly [number, number | string | Uint8Array | readonly Field[]]

const typeCodes = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
}
export type TypeName = keyof typeof typeCodes

export interface NodeSpec {
  op: string
  inputs: string[]
  outputs: string[]
  ints?: Record<string, number>
}
export interface ValueSpec {
  name: string
  type?: TypeName
  dims: (number | string)[]
}
export interface InitializerSpec {
  name: string
  type?: TypeName
  dims: number[]
  data?: ArrayBufferView
  external?: { location: string; offset: number; length: number }
}
export interface ModelSpec {
  nodes: NodeSpec[]
  inputs: ValueSpec[]
  outputs: ValueSpec[]
  initializers?: InitializerSpec[]
}

function varint(value: number): number[] {
  const bytes: number[] = []
  let rest = BigInt.asUintN(64, BigInt(value))
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  return [...bytes, Number(rest)]
}

const bytesOf = (view: ArrayBufferView) =>
  new Uint8Array(view.buffer, view.byteOffset, view.byteLength)

/** A number becomes a varint; text, bytes and nested fields are length-delimited. */
function encode(fields: readonly Field[]): Uint8Array {
  const parts: Uint8Array[] = []
  for (const [id, value] of fields) {
    if (typeof value === 'number') {
      parts.push(Uint8Array.from([...varint(id << 3), ...varint(value)]))
      continue
    }
    const payload =
      typeof value === 'string'
        ? new TextEncoder().encode(value)
        : value instanceof Uint8Array
          ? value
          : encode(value)
    parts.push(Uint8Array.from([...varint((id << 3) | 2), ...varint(payload.length)]), payload)
  }
  return new Uint8Array(Buffer.concat(parts))
}

const node = ({ op, inputs, outputs, ints = {} }: NodeSpec): readonly Field[] => [
  ...inputs.map((name) => [1, name] as const),
  ...outputs.map((name) => [2, name] as const),
  [4, op],
  ...Object.entries(ints).map(
    ([name, value]) =>
      [
        5,
        [
          [1, name],
          [3, value],
          [20, 2],
        ],
      ] as const,
  ),
]

const valueInfo = ({ name, type = 'float32', dims }: ValueSpec): readonly Field[] => {
  const shape = dims.map((d) => [1, [typeof d === 'number' ? [1, d] : [2, d]]] as Field)
  return [
    [1, name],
    [
      2,
      [
        [
          1,
          [
            [1, typeCodes[type]],
            [2, shape],
          ],
        ],
      ],
    ],
  ]
}

const initializer = (spec: InitializerSpec): readonly Field[] => {
  const { name, type = 'float32', dims, data, external } = spec
  const entries = Object.entries(external ?? {})
  return [
    ...dims.map((d) => [1, d] as const),
    [2, typeCodes[type]],
    [8, name],
    ...(data ? [[9, bytesOf(data)] as const] : []),
    ...entries.map(
      ([key, value]) =>
        [
          13,
          [
            [1, key],
            [2, String(value)],
          ],
        ] as const,
    ),
    ...(external ? [[14, 1] as const] : []),
  ]
}

/** A ModelProto: IR version 10, opset 21. */
export function tinyModel({ nodes, inputs, outputs, initializers = [] }: ModelSpec): Uint8Array {
  const graph: Field[] = [
    ...nodes.map((n) => [1, node(n)] as const),
    [2, 'tiny'],
    ...initializers.map((i) => [5, initializer(i)] as const),
    ...inputs.map((v) => [11, valueInfo(v)] as const),
    ...outputs.map((v) => [12, valueInfo(v)] as const),
  ]
  return encode([
    [1, 10],
    [7, graph],
    [
      8,
      [
        [1, ''],
        [2, 21],
      ],
    ],
  ])
}

/** y = x + 1 over float32 [n]. */
export const addOneModel = (): Uint8Array =>
  tinyModel({
    nodes: [{ op: 'Add', inputs: ['x', 'one'], outputs: ['y'] }],
    inputs: [{ name: 'x', dims: ['n'] }],
    outputs: [{ name: 'y', dims: ['n'] }],
    initializers: [{ name: 'one', dims: [], data: Float32Array.of(1) }],
  })

/** y = a·b many times over, float32 [n, n]: `repeats` matrix products that take a while. */
export function slowModel(repeats: number): Uint8Array {
  const nodes: NodeSpec[] = []
  for (let i = 0; i < repeats; i++) {
    const output = i === repeats - 1 ? 'y' : `h${i}`
    nodes.push({ op: 'MatMul', inputs: [i === 0 ? 'x' : `h${i - 1}`, 'x'], outputs: [output] })
  }
  return tinyModel({
    nodes,
    inputs: [{ name: 'x', dims: ['n', 'n'] }],
    outputs: [{ name: 'y', dims: ['n', 'n'] }],
  })
}
