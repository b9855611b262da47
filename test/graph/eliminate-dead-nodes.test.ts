import t from 'tap'
import type { Graph, Value } from '../../src/graph/graph.ts'
import { eliminateDeadNodes } from '../../src/graph/passes/eliminate-dead-nodes.ts'
import { createBuilder } from '../../src/ops/builder.ts'

const names = (graph: Graph) => ({
  inputs: graph.inputs.map(({ name }) => name),
  weights: graph.initializers.map(({ value }) => value.name),
  ops: graph.nodes.map(({ op }) => op),
})

t.test('nodes and weights that no output needs go, inputs stay', async (t) => {
  const b = createBuilder('g')
  const x = b.input('x', 'float32', [2])
  const unused = b.input('unused', 'float32', [2])
  const live = b.op('Exp', [x], {})
  const dead = b.op('Mul', [b.op('Neg', [unused], {}), b.constant('dead.weight', [2], [1, 2])], {})
  b.op('Add', [live, dead], {})
  b.output('y', b.op('Mul', [live, b.constant('live.weight', [2], [3, 4])], {}))
  t.same(names(b.build()), {
    inputs: ['x', 'unused'],
    weights: ['live.weight'],
    ops: ['Exp', 'Mul'],
  })
})

t.test('a node with one needed output keeps all its outputs', async (t) => {
  const b = createBuilder('g')
  const x = b.input('x', 'float32', [2, 4])
  const w = b.constant('w', [4], [1, 1, 1, 1])
  const [, inverse] = b.ops('RmsNorm', [x, w], { epsilon: 1e-5 })
  b.output('inverse', inverse!)
  const graph = b.build()
  t.same(names(graph), { inputs: ['x'], weights: ['w'], ops: ['RmsNorm'] })
  t.equal(graph.nodes[0]!.outputs.length, 2)
})

t.test(
  'the pass changes nothing in the graph it is given, nor a graph without dead parts',
  async (t) => {
    const x: Value = { id: 0, name: 'x', type: 'float32', shape: [] }
    const y: Value = { id: 1, name: 'y', type: 'float32', shape: [] }
    const nodes = [{ op: 'Neg', inputs: [x], outputs: [y], attrs: {} }]
    const graph: Graph = {
      name: 'g',
      inputs: [x],
      outputs: [{ name: 'x again', value: x }],
      initializers: [],
      nodes,
    }
    t.same(eliminateDeadNodes(graph).nodes, [])
    t.equal(graph.nodes.length, 1)
    const whole = { ...graph, outputs: [{ name: 'y', value: y }] }
    t.same(eliminateDeadNodes(whole), whole)
  },
)
