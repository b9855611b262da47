/** Reverse-mode differentiation over the recorded nodes (Griewank & Walther 2008, ch. 3). */
import type { Node, Value } from '../graph/graph.ts'
import type { Builder } from '../ops/builder.ts'
import type { OpType } from '../ops/op-attrs.ts'
import { vjpRules, type VjpRule } from './vjp-rules.ts'

/** Values that depend on one of `sources`, the sources included. */
function dependants(nodes: readonly Node[], sources: readonly Value[]): Set<Value> {
  const active = new Set<Value>(sources)
  for (const node of nodes) {
    if (node.inputs.some((input) => input && active.has(input)))
      for (const output of node.outputs) active.add(output)
  }
  return active
}

/**
 * Adds the nodes that compute d loss / d source for every source and returns those values, in order.
 * `loss` has shape []. A source that the loss does not depend on is an error.
 */
export function gradients(b: Builder, loss: Value, sources: readonly Value[]): Value[] {
  const nodes = [...b.nodes]
  const active = dependants(nodes, sources)
  const grads = new Map<Value, Value>([[loss, b.scalar(1)]])
  const accumulate = (value: Value, gradient: Value) => {
    const known = grads.get(value)
    grads.set(value, known ? b.op('Add', [known, gradient], {}) : gradient)
  }
  for (const node of nodes.reverse()) {
    const flowing = node.outputs.map((output) => grads.get(output))
    if (!flowing.some(Boolean)) continue
    const needs = node.inputs.map((input) => input !== null && active.has(input))
    if (!needs.some(Boolean)) continue
    const rule = vjpRules[node.op as OpType] as VjpRule<OpType> | 'none'
    if (rule === 'none') throw new Error(`internal: ${node.op} has no gradient`)
    if (!flowing[0] || flowing.slice(1).some(Boolean))
      throw new Error(`internal: ${node.op}: only the first output may carry a gradient`)
    const x = node.inputs.map((input) => input as Value)
    const made = rule({ b, node, attrs: node.attrs, x, y: node.outputs, dy: flowing[0], needs })
    made.forEach((gradient, i) => {
      if (gradient && needs[i]) accumulate(x[i]!, gradient)
    })
  }
  return sources.map(
    (source) =>
      grads.get(source) ??
      (() => {
        throw new Error(`internal: the loss does not depend on ${source.name}`)
      })(),
  )
}
