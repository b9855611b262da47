import t from 'tap'
import type { Graph, Node, Value } from '../../src/graph/graph.ts'
import { verifyGraph } from '../../src/graph/verify.ts'

let id = 0
const value = (name: string): Value => ({ id: id++, name, type: 'float32', shape: [2] })
const node = (op: string, inputs: (Value | null)[], ...outputs: Value[]): Node => ({
  op,
  inputs,
  outputs,
  attrs: {},
})
const graph = (parts: Partial<Graph>): Graph => ({
  name: 'g',
  inputs: [],
  outputs: [],
  initializers: [],
  nodes: [],
  ...parts,
})
const weight = (v: Value) => ({
  value: v,
  source: { kind: 'data', bytes: new Uint8Array(8) } as const,
})

t.test('a sound graph comes back as it is', async (t) => {
  const [x, w, y] = [value('x'), value('w'), value('y')]
  const sound = graph({
    inputs: [x],
    initializers: [weight(w)],
    nodes: [node('Add', [x, w, null], y)],
    outputs: [
      { name: 'out', value: y },
      { name: 'same', value: y },
    ],
  })
  t.equal(verifyGraph(sound), sound)
})

t.test('a value that is read before its definition is an error that names both', async (t) => {
  const [x, y, z] = [value('x'), value('y'), value('z')]
  const wrongOrder = graph({ inputs: [x], nodes: [node('Neg', [y], z), node('Exp', [x], y)] })
  t.throws(() => verifyGraph(wrongOrder), { message: 'internal: g: Neg reads undefined y' })
})

t.test('equal names do not make an undefined value defined', async (t) => {
  const stranger = value('x')
  const g = graph({ inputs: [value('x')], nodes: [node('Neg', [stranger], value('y'))] })
  t.throws(() => verifyGraph(g), { message: /Neg reads undefined x/ })
})

t.test('a name that two values carry is an error', async (t) => {
  const two = graph({ inputs: [value('x')], initializers: [weight(value('x'))] })
  t.throws(() => verifyGraph(two), { message: 'internal: g: name "x" used twice (initializer)' })
})

t.test('a value that two nodes write is an error', async (t) => {
  const [x, y] = [value('x'), value('y')]
  const twice = graph({ inputs: [x], nodes: [node('Neg', [x], y), node('Exp', [x], y)] })
  t.throws(() => verifyGraph(twice), { message: 'internal: g: y defined twice (Exp)' })
})

t.test('an output of an unknown value and a repeated output name are errors', async (t) => {
  const x = value('x')
  const unknown = graph({ outputs: [{ name: 'out', value: x }] })
  t.throws(() => verifyGraph(unknown), { message: 'internal: g: output out is undefined' })
  const output = { name: 'out', value: x }
  const repeated = graph({ inputs: [x], outputs: [output, output] })
  t.throws(() => verifyGraph(repeated), { message: 'internal: g: output name "out" used twice' })
})
