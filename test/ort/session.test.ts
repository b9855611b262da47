/** Loading models: what a session says of itself, its options, and clear errors. */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import {
  createPrepackedWeights,
  createTensor,
  runtimeVersion,
  Session,
} from '../../src/ort/index.ts'
import { locateLibrary } from '../../src/ort/locate-library.ts'
import { addOneModel, tinyModel, type ModelSpec } from './tiny-model.ts'

/** y = x · w, w [2, 3] float32 in a file beside, 4 bytes in. */
const externalModel: ModelSpec = {
  nodes: [{ op: 'MatMul', inputs: ['x', 'w'], outputs: ['y'] }],
  inputs: [{ name: 'x', dims: ['n', 2] }],
  outputs: [{ name: 'y', dims: ['n', 3] }],
  initializers: [
    { name: 'w', dims: [2, 3], external: { location: 'weights.bin', offset: 4, length: 24 } },
  ],
}
const weights = Float32Array.of(99, 1, 2, 3, 4, 5, 6)

async function runOnce(session: Session, x: Float32Array, dims: number[]): Promise<number[]> {
  const binding = session.createBinding()
  binding.bindInput('x', createTensor('float32', dims, x))
  binding.bindOutputToCpu('y')
  await session.run(binding)
  const y = binding.outputs().get('y')!
  binding.dispose()
  return Array.from(y.data, Number)
}

t.test('a session tells its inputs and outputs, with types and shapes', async (t) => {
  const session = await Session.create({
    model: tinyModel({
      nodes: [
        { op: 'Cast', inputs: ['ids'], outputs: ['f'], ints: { to: 1 } },
        { op: 'Add', inputs: ['f', 'x'], outputs: ['y'] },
      ],
      inputs: [
        { name: 'ids', type: 'int64', dims: ['batch', 4] },
        { name: 'x', dims: [] },
      ],
      outputs: [{ name: 'y', dims: ['batch', 4] }],
    }),
  })
  t.teardown(() => session.dispose())
  t.same(session.inputNames, ['ids', 'x'])
  t.same(session.outputNames, ['y'])
  t.same(session.inputs.get('ids'), { name: 'ids', type: 'int64', dims: [-1, 4] })
  t.same(session.inputs.get('x'), { name: 'x', type: 'float32', dims: [] })
})

t.test('a model without inputs runs', async (t) => {
  const session = await Session.create({
    model: tinyModel({
      nodes: [{ op: 'Identity', inputs: ['c'], outputs: ['y'] }],
      inputs: [],
      outputs: [{ name: 'y', dims: [2] }],
      initializers: [{ name: 'c', dims: [2], data: Float32Array.of(3, 4) }],
    }),
  })
  t.teardown(() => session.dispose())
  t.same(session.inputNames, [])
  const binding = session.createBinding()
  binding.bindOutputToCpu('y')
  session.runSync(binding)
  t.same(binding.outputs().get('y')!.data, Float32Array.of(3, 4))
})

t.test('external weights are found beside the file, or in weightsDirectory', async (t) => {
  const dir = t.testdir({})
  await writeFile(join(dir, 'weights.bin'), weights)
  const model = tinyModel(externalModel)
  await writeFile(join(dir, 'model.onnx'), model)
  for (const options of [{ model, weightsDirectory: dir }, { model: join(dir, 'model.onnx') }]) {
    const session = await Session.create(options)
    t.same(await runOnce(session, Float32Array.of(1, 10), [1, 2]), [41, 52, 63])
    session.dispose()
  }
  await t.rejects(Session.create({ model, weightsDirectory: join(dir, 'elsewhere') }), {
    code: 'RUNTIME_ERROR',
    detail: /loading the model: /,
  })
})

t.test('initializers given as tensors are shared by sessions', async (t) => {
  const dir = t.testdir({})
  await writeFile(join(dir, 'weights.bin'), new Uint8Array(28))
  const w = createTensor('float32', [2, 3], weights.subarray(1))
  const shared = {
    model: tinyModel(externalModel),
    weightsDirectory: dir,
    initializers: new Map([['w', w]]),
  }
  const prepackedWeights = createPrepackedWeights()
  const first = await Session.create({ ...shared, prepackedWeights })
  const second = await Session.create({ ...shared, prepackedWeights })
  prepackedWeights.dispose()
  w.dispose()
  t.same(await runOnce(first, Float32Array.of(1, 10), [1, 2]), [41, 52, 63])
  first.dispose()
  t.same(await runOnce(second, Float32Array.of(2, 0), [1, 2]), [2, 4, 6])
  second.dispose()
  await t.rejects(Session.create({ ...shared, initializers: undefined, prepackedWeights }), {
    code: 'RUNTIME_ERROR',
    detail: /the container of prepacked weights was used after dispose/,
  })
})

t.test('a wrong initializer is a clean error', async (t) => {
  const model = tinyModel(externalModel)
  const wrong = createTensor('float64', [2, 3])
  await t.rejects(Session.create({ model, initializers: new Map([['w', wrong]]) }), {
    code: 'RUNTIME_ERROR',
  })
  const gone = createTensor('float32', [2, 3])
  gone.dispose()
  await t.rejects(Session.create({ model, initializers: new Map([['w', gone]]) }), {
    code: 'RUNTIME_ERROR',
    detail: /the tensor was used after dispose/,
  })
})

t.test('what cannot be loaded is an error with the message of ONNX Runtime', async (t) => {
  const rejects = (model: Uint8Array | string, detail: RegExp) =>
    t.rejects(Session.create({ model }), { code: 'RUNTIME_ERROR', detail })
  await rejects(new Uint8Array(0), /no bytes/)
  await rejects(Uint8Array.of(1, 2, 3), /protobuf parsing failed.*INVALID_PROTOBUF/)
  await rejects(join(t.testdir({}), 'none.onnx'), /none\.onnx.*NO_SUCHFILE/)
  const [nodes, io] = [[{ op: 'NoSuchOp', inputs: ['x'], outputs: ['y'] }], { dims: [1] }]
  const unknown = { nodes, inputs: [{ name: 'x', ...io }], outputs: [{ name: 'y', ...io }] }
  await rejects(tinyModel(unknown), /NoSuchOp/)
})

t.test('options that make no sense are refused', async (t) => {
  const model = addOneModel()
  for (const intraOpThreads of [-1, 0.5, NaN, 1e9]) {
    await t.rejects(Session.create({ model, intraOpThreads }), {
      code: 'RUNTIME_ERROR',
      detail: /intraOpThreads: expected/,
    })
  }
  await t.rejects(Session.create({ model, config: { '': 'x' } }), {
    code: 'RUNTIME_ERROR',
    detail: /config entry ""/,
  })
})

t.test('every option is accepted, and the model still computes', async (t) => {
  const session = await Session.create({
    model: addOneModel(),
    intraOpThreads: 2,
    graphOptimizationLevel: 'disabled',
    config: { 'session.intra_op.allow_spinning': '0' },
    memoryArena: false,
    memoryPattern: false,
    logLevel: 'error',
  })
  t.teardown(() => session.dispose())
  t.same(await runOnce(session, Float32Array.of(1, 2), [2]), [2, 3])
})

t.test('profiling writes a trace with the kernels', async (t) => {
  const dir = t.testdir({})
  const session = await Session.create({ model: addOneModel(), profilePrefix: join(dir, 'trace') })
  t.teardown(() => session.dispose())
  await runOnce(session, Float32Array.of(1), [1])
  const path = session.endProfiling()
  t.same(await readdir(dir), [path.slice(dir.length + 1)])
  t.match(await readFile(path, 'utf8'), /"op_name"\s*:\s*"Add"/)
})

t.test(
  'the runtime has a version, and a platform without library gets a clear message',
  async (t) => {
    t.match(runtimeVersion(), /^\d+\.\d+\.\d+/)
    t.throws(() => locateLibrary('sunos', 'x64'), {
      code: 'RUNTIME_UNAVAILABLE',
      detail: /no library for sunos-x64; it has .*linux-x64/,
    })
    t.match(locateLibrary('darwin', 'arm64'), /\.dylib$/)
    t.match(locateLibrary('win32', 'x64'), /onnxruntime\.dll$/)
  },
)
