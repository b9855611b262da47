/**
 * norm(a + b), where the sum goes on as the residual stream, as one node with two results. For serving
 * graphs: the fused node has no gradient. Two nodes a layer half fewer; ONNX Runtime 1.30 does not find
 * the pattern by itself in graphs of SimplifiedLayerNormalization.
 */
import type { Graph, Node, Value } from '../../graph/graph.ts'
import { verifyGraph } from '../../graph/verify.ts'

const isPlainSum = (node: Node | undefined): node is Node =>
  node?.op === 'Add' &&
  ['float32', 'float16'].includes(node.inputs[0]!.type) &&
  node.inputs[0]!.shape.join() === node.inputs[1]!.shape.join()

/** Where each value is read first; graph outputs are read at the end. */
function firstReads(nodes: readonly Node[]): Map<Value, number> {
  const reads = new Map<Value, number>()
  nodes.forEach((node, i) => {
    for (const input of node.inputs) if (input && !reads.has(input)) reads.set(input, i)
  })
  return reads
}

/** The graph with every such pair replaced. Values keep their identity, so nothing else changes. */
export function fuseSkipNorms(graph: Graph): Graph {
  const producers = new Map<Value, Node>()
  for (const node of graph.nodes) for (const output of node.outputs) producers.set(output, node)
  const reads = firstReads(graph.nodes)
  const gone = new Set<Node>()
  const nodes = graph.nodes.map((node, i): Node => {
    if (node.op !== 'RmsNorm') return node
    const [x, weight] = node.inputs as [Value, Value]
    const [normed, inverse] = node.outputs as [Value, Value]
    const sum = producers.get(x)
    // The sum comes out of the norm's node, so nothing before it may read it.
    if (!isPlainSum(sum) || gone.has(sum) || reads.get(x) !== i || reads.has(inverse)) return node
    gone.add(sum)
    const inputs = [...sum.inputs, weight]
    return { op: 'SkipRmsNorm', inputs, outputs: [normed, x], attrs: node.attrs }
  })
  return verifyGraph({ ...graph, nodes: nodes.filter((node) => !gone.has(node)) })
}
