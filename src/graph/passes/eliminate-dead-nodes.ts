/** Removes nodes, initializers and (never) inputs that no output depends on. */
import type { Graph, Node, Value } from '../graph.ts'

/** Graph inputs stay, used or not, because callers bind them by name. */
export function eliminateDeadNodes(graph: Graph): Graph {
  const needed = new Set<Value>(graph.outputs.map((output) => output.value))
  const kept: Node[] = []
  for (let i = graph.nodes.length - 1; i >= 0; i--) {
    const node = graph.nodes[i]!
    if (!node.outputs.some((output) => needed.has(output))) continue
    for (const input of node.inputs) if (input) needed.add(input)
    kept.push(node)
  }
  return {
    ...graph,
    nodes: kept.reverse(),
    initializers: graph.initializers.filter(({ value }) => needed.has(value)),
  }
}
