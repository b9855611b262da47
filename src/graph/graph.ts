/**
 * The intermediate representation: values, nodes, initializers, a graph. Plain frozen data.
 * It knows no operator and no file format: `ops/` gives the meaning, `onnx/` the bytes.
 */

export type ElementType =
  'float32' | 'float16' | 'bfloat16' | 'float64' | 'int64' | 'int32' | 'uint8' | 'bool'

/** A size known when the graph is built, or a name for one that is known when it runs. */
export type Dim = number | string

export interface Value {
  readonly id: number
  readonly name: string
  readonly type: ElementType
  readonly shape: readonly Dim[]
}

export type AttrValue = number | string | boolean | readonly number[] | readonly Dim[]

export interface Node {
  readonly op: string
  readonly inputs: readonly (Value | null)[]
  readonly outputs: readonly Value[]
  readonly attrs: Readonly<Record<string, unknown>>
}

/** Raw little-endian bytes kept in the graph, or a byte range of a file beside the model. */
export type WeightSource =
  | { readonly kind: 'data'; readonly bytes: Uint8Array }
  | {
      readonly kind: 'file'
      readonly file: string
      readonly offset: number
      readonly lengthBytes: number
    }

export interface Initializer {
  readonly value: Value
  readonly source: WeightSource
}

export interface GraphOutput {
  readonly name: string
  readonly value: Value
}

export interface Graph {
  readonly name: string
  readonly inputs: readonly Value[]
  readonly outputs: readonly GraphOutput[]
  readonly initializers: readonly Initializer[]
  readonly nodes: readonly Node[]
}
