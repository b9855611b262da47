/** A graph as readable text, one line a node: for snapshots, logs and debugging. */
import type { Graph, Value } from './graph.ts'

const shapeText = (value: Value) => `${value.type}[${value.shape.join(',')}]`

export function printGraph(graph: Graph): string {
  const lines = [`graph ${graph.name} {`]
  for (const input of graph.inputs) lines.push(`  input ${input.name}: ${shapeText(input)}`)
  for (const { value, source } of graph.initializers) {
    const where = source.kind === 'file' ? `${source.file}@${source.offset}` : 'data'
    lines.push(`  weight ${value.name}: ${shapeText(value)} (${where})`)
  }
  for (const node of graph.nodes) {
    const outputs = node.outputs.map((v) => `${v.name}: ${shapeText(v)}`).join(', ')
    const inputs = node.inputs.map((v) => v?.name ?? '_').join(', ')
    const attrs = Object.keys(node.attrs).length > 0 ? ` ${JSON.stringify(node.attrs)}` : ''
    lines.push(`  ${outputs} = ${node.op}(${inputs})${attrs}`)
  }
  for (const { name, value } of graph.outputs) lines.push(`  output ${name} = ${value.name}`)
  lines.push('}')
  return lines.join('\n')
}
