/**
 * Structural checks of a graph: every value is defined once and before its use, names are unique,
 * outputs exist. Shapes are checked by the rules of `ops/` while the graph is built.
 */
import type { Graph, Value } from './graph.ts'

/** Throws an `internal:` error naming the first broken rule; returns the graph otherwise. */
export function verifyGraph(graph: Graph): Graph {
  const defined = new Set<Value>()
  const names = new Set<string>()
  const define = (value: Value, where: string) => {
    if (defined.has(value))
      throw new Error(`internal: ${graph.name}: ${value.name} defined twice (${where})`)
    if (names.has(value.name))
      throw new Error(`internal: ${graph.name}: name "${value.name}" used twice (${where})`)
    defined.add(value)
    names.add(value.name)
  }
  for (const input of graph.inputs) define(input, 'input')
  for (const { value } of graph.initializers) define(value, 'initializer')
  for (const node of graph.nodes) {
    for (const input of node.inputs) {
      if (input && !defined.has(input))
        throw new Error(`internal: ${graph.name}: ${node.op} reads undefined ${input.name}`)
    }
    for (const output of node.outputs) define(output, node.op)
  }
  const outputNames = new Set<string>()
  for (const { name, value } of graph.outputs) {
    if (!defined.has(value)) throw new Error(`internal: ${graph.name}: output ${name} is undefined`)
    if (outputNames.has(name))
      throw new Error(`internal: ${graph.name}: output name "${name}" used twice`)
    outputNames.add(name)
  }
  return graph
}
