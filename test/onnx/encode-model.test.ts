/** The bytes as ONNX Runtime understands them: names, shapes, weights in files, outputs in place. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { encodeModel, lowerGraph } from '../../src/onnx/encode-model.ts'
import { createBuilder } from '../../src/ops/builder.ts'
import { createTensor, Session } from '../../src/ort/index.ts'
import { createGraphRunner } from '../fixtures/run-graph.ts'

t.test('inputs and outputs keep their names, types and named sizes', async (t) => {
  const b = createBuilder('g')
  const x = b.input('x', 'float32', ['batch', 3])
  b.input('unused', 'int32', [1])
  b.output('the output', b.op('Exp', [x], {}))
  b.output('rows', b.op('ArangeLike', [x], { axis: 0 }))
  const session = await Session.create({ model: encodeModel(b.build()) })
  t.teardown(() => session.dispose())
  t.same(session.inputNames, ['x', 'unused'])
  t.same(session.outputNames, ['the output', 'rows'])
  t.match(session.inputs.get('x'), { type: 'float32' })
  t.match(session.inputs.get('unused'), { type: 'int32' })
  t.match(session.outputs.get('rows'), { type: 'int64' })
})

t.test('a node writes its output under the output name, without a copy', async (t) => {
  const b = createBuilder('g')
  const [x, g] = [b.input('x', 'float32', [2]), b.input('g', 'float32', [2])]
  const next = b.op('Sub', [x, g], {})
  b.output('x_out', next)
  b.output('sum', b.op('Add', [next, next], {}))
  const graph = b.build()
  const text = Buffer.from(encodeModel(graph)).toString('latin1')
  t.notMatch(text, 'Identity')
  const { nodes } = lowerGraph(graph)
  t.same(
    nodes.map(({ opType }) => opType),
    ['Sub', 'Add'],
  )
})

t.test('an output bound over its input is written there', async (t) => {
  const b = createBuilder('g')
  const [x, g] = [b.input('x', 'float32', [2]), b.input('g', 'float32', [2])]
  const next = b.op('Sub', [x, g], {})
  b.output('x_out', next)
  b.output('doubled', b.op('Add', [next, next], {}))
  const session = await Session.create({ model: encodeModel(b.build()) })
  t.teardown(() => session.dispose())
  const state = createTensor('float32', [2], Float32Array.of(10, 20))
  const doubled = createTensor('float32', [2])
  const binding = session.createBinding()
  binding.bindInput('x', state)
  binding.bindInput('g', createTensor('float32', [2], Float32Array.of(1, 2)))
  binding.bindOutput('x_out', state)
  binding.bindOutput('doubled', doubled)
  await session.run(binding)
  await session.run(binding)
  t.same([...state.data], [8, 16])
  t.same([...doubled.data], [16, 32])
})

t.test('one value under two output names, and an input as output, are copied', async (t) => {
  const b = createBuilder('g')
  const x = b.input('x', 'float32', [2])
  const y = b.op('Neg', [x], {})
  b.output('first', y)
  b.output('second', y)
  b.output('same', x)
  b.output('constant', b.constant('c', [1], [9]))
  const runner = await createGraphRunner(b.build())
  t.teardown(() => runner.dispose())
  t.same(await runner.run({ x: { shape: [2], data: [1, -2] } }), {
    first: [-1, 2],
    second: [-1, 2],
    same: [1, -2],
    constant: [9],
  })
})

t.test('weights of kind file are read from their place in the file', async (t) => {
  const dir = t.testdir()
  const numbers = Float32Array.from({ length: 12 }, (_, i) => i)
  await writeFile(join(dir, 'weights.bin'), new Uint8Array(numbers.buffer))
  const b = createBuilder('g')
  const x = b.input('x', 'float32', [4])
  const source = { kind: 'file', file: 'weights.bin', offset: 16, lengthBytes: 16 } as const
  b.output('y', b.op('Mul', [x, b.weight('w', 'float32', [4], source)], {}))
  const model = encodeModel(b.build())
  t.ok(model.length < 300, 'the numbers are not in the model')
  const session = await Session.create({ model, weightsDirectory: dir })
  t.teardown(() => session.dispose())
  const binding = session.createBinding()
  binding.bindInput('x', createTensor('float32', [4], Float32Array.of(1, 1, 2, 2)))
  const y = createTensor('float32', [4])
  binding.bindOutput('y', y)
  await session.run(binding)
  t.same([...y.data], [4, 5, 12, 14])
})

t.test('int64 constants: scalars and lists, negative ones too', async (t) => {
  const b = createBuilder('g')
  const x = b.input('x', 'int64', [3])
  b.output('y', b.op('Add', [x, b.int64(-5)], {}))
  b.output('tail', b.op('Slice', [x], { axis: 0, start: 1, end: 3 }))
  const runner = await createGraphRunner(b.build())
  t.teardown(() => runner.dispose())
  const outputs = await runner.run({ x: { shape: [3], data: [5, 2 ** 40, -1] } })
  t.same(outputs, { y: [0, 2 ** 40 - 5, -6], tail: [2 ** 40, -1] })
})
