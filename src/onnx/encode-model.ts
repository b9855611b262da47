/** A graph as the bytes of an ONNX ModelProto (onnx.proto, IR version 10, opset 21). */
import type { Device } from '../../schemas/device.ts'
import { floatBytes } from '../ops/builder.ts'
import type { Dim, ElementType, Graph, Initializer } from '../graph/graph.ts'
import {
  elementTypeCodes,
  emitRules,
  type Emitter,
  type EmitRule,
  type OnnxAttr,
  type OnnxNode,
} from '../ops/emit-rules.ts'
import type { OpType } from '../ops/op-attrs.ts'
import { ProtoWriter } from './protobuf.ts'

const IR_VERSION = 10
const OPSET = 21

interface Constant {
  readonly name: string
  readonly type: ElementType
  readonly shape: readonly number[]
  readonly bytes: Uint8Array
}

/** Lowers the graph's nodes to ONNX nodes and the constants they need. */
export function lowerGraph(
  graph: Graph,
  device: Device = 'cpu',
): { nodes: OnnxNode[]; constants: Constant[] } {
  const nodes: OnnxNode[] = []
  const constants = new Map<string, Constant>()
  let temporaries = 0
  const e: Emitter = {
    device,
    fresh: () => `t${temporaries++}`,
    node(opType, inputs, attrs, domain) {
      const output = e.fresh()
      e.nodeTo([output], opType, inputs, attrs, domain)
      return output
    },
    nodeTo(outputs, opType, inputs, attrs = {}, domain = '') {
      nodes.push({ opType, domain, inputs, outputs, attrs })
    },
    int64(value) {
      const list = typeof value === 'number' ? [value] : value
      const name = typeof value === 'number' ? `i64_${value}` : `i64s_${list.join('_')}`
      const bytes = new Uint8Array(BigInt64Array.from(list, BigInt).buffer)
      const shape = typeof value === 'number' ? [] : [list.length]
      constants.set(name, { name, type: 'int64', shape, bytes })
      return name
    },
    float(value, type) {
      const name = `${type}_${value}`
      constants.set(name, { name, type, shape: [], bytes: floatBytes(type, [value]) })
      return name
    },
  }
  for (const node of graph.nodes) {
    const rule = emitRules[node.op as OpType] as EmitRule<OpType>
    rule({
      e,
      node,
      attrs: node.attrs,
      i: node.inputs.map((value) => value?.name ?? ''),
      o: node.outputs.map((value) => value.name),
    })
  }
  return { nodes, constants: [...constants.values()] }
}

function writeAttr(w: ProtoWriter, name: string, attr: OnnxAttr): void {
  w.text(1, name)
  if ('int' in attr) {
    w.int(3, attr.int)
    w.int(20, 2)
  } else if ('float' in attr) {
    w.float(2, attr.float)
    w.int(20, 1)
  } else if ('text' in attr) {
    w.text(4, attr.text)
    w.int(20, 3)
  } else {
    for (const value of attr.ints) w.int(8, value)
    w.int(20, 7)
  }
}

function writeNode(w: ProtoWriter, node: OnnxNode): void {
  for (const name of node.inputs) w.text(1, name)
  for (const name of node.outputs) w.text(2, name)
  w.text(4, node.opType)
  for (const [name, attr] of Object.entries(node.attrs))
    w.message(5, (a) => writeAttr(a, name, attr))
  if (node.domain) w.text(7, node.domain)
}

function writeTensor(w: ProtoWriter, constant: Constant): void {
  for (const dim of constant.shape) w.int(1, dim)
  w.int(2, elementTypeCodes[constant.type])
  w.text(8, constant.name)
  w.raw(9, constant.bytes)
}

function writeInitializer(w: ProtoWriter, { value, source }: Initializer): void {
  const shape = value.shape.map(Number)
  if (source.kind === 'data') {
    writeTensor(w, { name: value.name, type: value.type, shape, bytes: source.bytes })
    return
  }
  for (const dim of shape) w.int(1, dim)
  w.int(2, elementTypeCodes[value.type])
  w.text(8, value.name)
  const entries = { location: source.file, offset: source.offset, length: source.lengthBytes }
  for (const [key, entry] of Object.entries(entries)) {
    w.message(13, (pair) => {
      pair.text(1, key)
      pair.text(2, String(entry))
    })
  }
  w.int(14, 1) // data_location = EXTERNAL
}

function writeValueInfo(
  w: ProtoWriter,
  name: string,
  type: ElementType,
  shape: readonly Dim[],
): void {
  w.text(1, name)
  w.message(2, (typeProto) =>
    typeProto.message(1, (tensor) => {
      tensor.int(1, elementTypeCodes[type])
      tensor.message(2, (shapeProto) => {
        for (const dim of shape) {
          shapeProto.message(1, (d) => {
            if (typeof dim === 'number') d.int(1, dim)
            else d.text(2, dim)
          })
        }
      })
    }),
  )
}

/** A value that is an output under another name, or twice, gets an Identity node. */
function outputNodes(graph: Graph): OnnxNode[] {
  return graph.outputs
    .filter(({ name, value }) => name !== value.name)
    .map(({ name, value }) => {
      return { opType: 'Identity', domain: '', inputs: [value.name], outputs: [name], attrs: {} }
    })
}

/**
 * Outputs written by exactly one node take their output name there, so that no copy is made:
 * the optimizer's new state must land in the bound buffer directly.
 */
function renameOutputs(graph: Graph, nodes: readonly OnnxNode[]): OnnxNode[] {
  const renamed = new Map<string, string>()
  const made = new Set(nodes.flatMap((node) => node.outputs))
  for (const { name, value } of graph.outputs) {
    if (made.has(value.name) && !renamed.has(value.name)) renamed.set(value.name, name)
  }
  const rename = (name: string) => renamed.get(name) ?? name
  const lowered = nodes.map((node) => {
    return { ...node, inputs: node.inputs.map(rename), outputs: node.outputs.map(rename) }
  })
  const copies = outputNodes(graph)
    .filter((copy) => renamed.get(copy.inputs[0]!) !== copy.outputs[0])
    .map((copy) => ({ ...copy, inputs: copy.inputs.map(rename) }))
  return [...lowered, ...copies]
}

/** The model as bytes. Weights of kind `file` are referred to as external data, not copied. */
export function encodeModel(graph: Graph, device: Device = 'cpu'): Uint8Array<ArrayBuffer> {
  const { nodes, constants } = lowerGraph(graph, device)
  const model = new ProtoWriter()
  model.int(1, IR_VERSION)
  model.text(2, 'steerlm')
  model.message(7, (g) => {
    for (const node of renameOutputs(graph, nodes)) g.message(1, (w) => writeNode(w, node))
    g.text(2, graph.name)
    for (const initializer of graph.initializers)
      g.message(5, (w) => writeInitializer(w, initializer))
    for (const constant of constants) g.message(5, (w) => writeTensor(w, constant))
    for (const value of graph.inputs)
      g.message(11, (w) => writeValueInfo(w, value.name, value.type, value.shape))
    for (const { name, value } of graph.outputs)
      g.message(12, (w) => writeValueInfo(w, name, value.type, value.shape))
  })
  for (const [domain, version] of [
    ['', OPSET],
    ['com.microsoft', 1],
  ] as const) {
    model.message(8, (w) => {
      w.text(1, domain)
      w.int(2, version)
    })
  }
  return Uint8Array.from(model.bytes())
}
