/** Memory bound to runs: in place, allocated by the runtime, of every type, and wrongly bound. */
import t, { type Test } from 'tap'
import {
  createTensor,
  Session,
  type ElementType,
  type Tensor,
  type TensorData,
} from '../../src/ort/index.ts'
import { addOneModel, tinyModel } from './tiny-model.ts'

async function addOne(t: Test) {
  const session = await Session.create({ model: addOneModel(), intraOpThreads: 1 })
  t.teardown(() => session.dispose())
  return { session, binding: session.createBinding() }
}

t.test('a run reads the bound input and writes the bound output', async (t) => {
  const { session, binding } = await addOne(t)
  const [x, y] = [createTensor('float32', [3]), createTensor('float32', [3])]
  binding.bindInput('x', x)
  binding.bindOutput('y', y)
  x.data.set([1, 2, 3])
  await session.run(binding)
  t.same(y.data, Float32Array.of(2, 3, 4))
  x.data.set([10, 20, 30])
  session.runSync(binding)
  t.same(y.data, Float32Array.of(11, 21, 31), 'bound once, written again')
  t.equal(binding.outputs().get('y'), y)
})

t.test(
  'one tensor as input and output is updated in place, also inside a larger array',
  async (t) => {
    const { session, binding } = await addOne(t)
    const memory = Float32Array.of(7, 1, 2, 7)
    const x = createTensor('float32', [2], memory.subarray(1, 3))
    binding.bindInput('x', x)
    binding.bindOutput('y', x)
    for (let i = 0; i < 5; i++) await session.run(binding)
    t.same(memory, Float32Array.of(7, 6, 7, 7))
  },
)

t.test('an output may be left to the runtime; its copies do not change later', async (t) => {
  const { session, binding } = await addOne(t)
  const x = createTensor('float32', [2], Float32Array.of(1, 2))
  binding.bindInput('x', x)
  binding.bindOutputToCpu('y')
  t.equal(binding.outputs().size, 0, 'nothing before the first run')
  await session.run(binding)
  const first = binding.outputs().get('y')!
  x.data[0] = 5
  await session.run(binding)
  t.same([first.type, first.dims], ['float32', [2]])
  t.same(first.data, Float32Array.of(2, 3))
  t.same(binding.outputs().get('y')!.data, Float32Array.of(6, 3))
})

t.test('mixed outputs come under their own names', async (t) => {
  const outputs = ['a', 'b', 'c']
  const session = await Session.create({
    model: tinyModel({
      nodes: [
        { op: 'Neg', inputs: ['x'], outputs: ['a'] },
        { op: 'Abs', inputs: ['x'], outputs: ['b'] },
        { op: 'Sign', inputs: ['x'], outputs: ['c'] },
      ],
      inputs: [{ name: 'x', dims: [1] }],
      outputs: outputs.map((name) => ({ name, dims: [1] })),
    }),
  })
  t.teardown(() => session.dispose())
  const binding = session.createBinding()
  binding.bindInput('x', createTensor('float32', [1], Float32Array.of(-3)))
  binding.bindOutputToCpu('c')
  binding.bindOutput('a', createTensor('float32', [1]))
  binding.bindOutputToCpu('b')
  binding.bindOutput('c', createTensor('float32', [1]))
  binding.bindOutputToCpu('c')
  await session.run(binding)
  const values = [...binding.outputs()].map(([name, { data }]) => [name, Number(data[0])])
  t.same(Object.fromEntries(values), { a: 3, b: 3, c: -1 })
})

const samples: { [T in ElementType]: TensorData<T> } = {
  float32: Float32Array.of(1.5, -0),
  float64: Float64Array.of(Math.PI, 1e300),
  float16: Uint16Array.of(0x3c00, 0x7bff),
  int64: BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n),
  int32: Int32Array.of(-(2 ** 31), 2 ** 31 - 1),
  int8: Int8Array.of(-128, 127),
  uint8: Uint8Array.of(0, 255),
  bool: Uint8Array.of(0, 1),
}

for (const type of Object.keys(samples) as ElementType[]) {
  t.test(`${type} goes in and comes out`, async (t) => {
    const io = { type, dims: [2] }
    const session = await Session.create({
      model: tinyModel({
        nodes: [{ op: 'Identity', inputs: ['x'], outputs: ['y'] }],
        inputs: [{ name: 'x', ...io }],
        outputs: [{ name: 'y', ...io }],
      }),
    })
    t.teardown(() => session.dispose())
    const binding = session.createBinding()
    const [x, y] = [createTensor(type, [2], samples[type] as never), createTensor(type, [2])]
    binding.bindInput('x', x as Tensor)
    binding.bindOutput('y', y as Tensor)
    await session.run(binding)
    t.same(y.data, samples[type])
    binding.bindOutputToCpu('y')
    await session.run(binding)
    const copied = binding.outputs().get('y')!
    t.equal(copied.type, type)
    t.same(copied.data, samples[type])
  })
}

t.test('tensors without elements, scalars and shared memory work', async (t) => {
  const { session, binding } = await addOne(t)
  binding.bindInput('x', createTensor('float32', [0]))
  binding.bindOutputToCpu('y')
  await session.run(binding)
  t.same(binding.outputs().get('y')!.dims, [0])
  const shared = new Float32Array(new SharedArrayBuffer(4))
  binding.bindInput('x', createTensor('float32', [1], shared))
  await session.run(binding)
  t.same(binding.outputs().get('y')!.data, Float32Array.of(1))
})

t.test('wrong names and types are refused when binding', async (t) => {
  const { session, binding } = await addOne(t)
  const [x, ids] = [createTensor('float32', [1]), createTensor('int64', [1])]
  const throws = (call: () => void, detail: RegExp) =>
    t.throws(call, { code: 'RUNTIME_ERROR', detail })
  throws(() => binding.bindInput('z', x), /the model has no input "z"; it has x/)
  throws(() => binding.bindOutput('x', x), /the model has no output "x"; it has y/)
  throws(() => binding.bindOutputToCpu('x'), /the model has no output "x"/)
  throws(() => binding.bindInput('x', ids), /input "x": expected float32, the tensor is int64/)
  throws(() => binding.bindOutput('y', ids), /output "y": expected float32, the tensor is int64/)
  binding.bindInput('x', x)
  binding.bindOutput('y', x)
  await session.run(binding)
  t.same(x.data, Float32Array.of(1), 'the binding still works')
})

t.test('wrong shapes, missing inputs and lost memory fail the run, not the process', async (t) => {
  const { session, binding } = await addOne(t)
  const rejects = (detail: RegExp) =>
    t.rejects(session.run(binding), { code: 'RUNTIME_ERROR', detail })
  const x = createTensor('float32', [2], Float32Array.of(1, 2))
  binding.bindOutput('y', x)
  await rejects(/running the model: /)
  binding.bindInput('x', createTensor('float32', [2, 2]))
  await rejects(/Invalid rank for input: x/)
  binding.bindInput('x', createTensor('float32', [3]))
  await rejects(/shape/i)
  t.throws(() => session.runSync(binding), { code: 'RUNTIME_ERROR' })
  binding.bindInput('x', x)
  await session.run(binding)
  t.same(x.data, Float32Array.of(2, 3), 'the session still works')
  structuredClone(x.data.buffer, { transfer: [x.data.buffer as ArrayBuffer] })
  await rejects(/"x": the tensor's ArrayBuffer was transferred away/)
  t.throws(() => binding.bindInput('x', x), { code: 'RUNTIME_ERROR', detail: /transferred away/ })
})

t.test('clear unties everything; what was bound is free for others', async (t) => {
  const { session, binding } = await addOne(t)
  const x = createTensor('float32', [1], Float32Array.of(1))
  binding.bindInput('x', x)
  binding.bindOutput('y', x)
  binding.clear()
  t.equal(binding.outputs().size, 0)
  await t.rejects(session.run(binding), { code: 'RUNTIME_ERROR' })
  t.same(x.data, Float32Array.of(1), 'not written')
  binding.bindInput('x', x)
  binding.bindOutputToCpu('y')
  await session.run(binding)
  t.same(binding.outputs().get('y')!.data, Float32Array.of(2))
})

t.test('a bound tensor may be disposed: the binding keeps its memory', async (t) => {
  const { session, binding } = await addOne(t)
  const memory = Float32Array.of(1)
  const x = createTensor('float32', [1], memory)
  binding.bindInput('x', x)
  binding.bindOutput('y', x)
  x.dispose()
  x.dispose()
  t.throws(() => x.data, { code: 'RUNTIME_ERROR', detail: /the tensor was used after dispose/ })
  t.throws(() => binding.bindInput('x', x), {
    code: 'RUNTIME_ERROR',
    detail: /the tensor was used after dispose/,
  })
  await session.run(binding)
  t.same(memory, Float32Array.of(2))
})

t.test('a tensor whose parts do not fit together is refused', async (t) => {
  const throws = (call: () => void, detail: RegExp) =>
    t.throws(call, { code: 'RUNTIME_ERROR', detail })
  const array = new Float32Array(3)
  throws(() => createTensor('float32', [2], array), /shape \[2\] has 2 elements, the array 3/)
  throws(() => createTensor('float32', [], array), /has 1 elements, the array 3/)
  throws(() => createTensor('float32', [-1, -3], array), /dimensions are integers from 0/)
  throws(() => createTensor('float32', [1.5, 2], array), /dimensions are integers from 0/)
  throws(
    () => createTensor('int64', [3], array as never),
    /takes a BigInt64Array, not a Float32Array/,
  )
  throws(() => createTensor('string' as never, [3]), /no element type "string"/)
  throws(() => createTensor('uint8', [2 ** 30, 2 ** 30]), /too large/)
  const resizable = new ArrayBuffer(4, { maxByteLength: 8 })
  throws(() => createTensor('uint8', [4], new Uint8Array(resizable)), /resizable/)
})
