/**
 * The decode and score graphs on WebGPU (here a software Vulkan device) against the processor in float32: the same
 * numbers but for rounding, the same text, and keys and values that stay on the device.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { DeviceCache } from '../../src/engine/device-cache.ts'
import { planDevice } from '../../src/engine/device-plan.ts'
import { createEngine, createScorer, type Engine } from '../../src/engine/index.ts'
import { OrtModelStep } from '../../src/engine/ort-model-step.ts'
import { createRandom } from '../../src/engine/random.ts'
import { buildDecodeModel } from '../../src/engine/serving-models.ts'
import { createTensor, DeviceCopier, DeviceTensor, Session, type Device } from '../../src/ort/index.ts' // prettier-ignore
import { blocksOf, writeWeightsAs } from '../fixtures/quantized-folder.ts'
import { skip } from '../fixtures/software-vulkan.ts'
import { writeTinyCheckpoint } from '../fixtures/tiny-checkpoint.ts'
import { writeTinyHead } from '../fixtures/tiny-head.ts'
import { collect } from './reference-generation.ts'

const village = fileURLToPath(new URL('../../models/village', import.meta.url))

/** Sums in another order, and other approximations of exp: 7e-6 was seen on logits up to 20. */
const TOLERANCE = 1e-4

interface TraceEvent {
  cat: string
  args?: { op_name?: string; provider?: string; output_size?: string }
}

const worst = (a: Float32Array, b: Float32Array): number =>
  a.reduce((max, value, i) => Math.max(max, Math.abs(value - b[i]!)), 0)

async function openStep(t: Test, modelDir: string, device: Device): Promise<OrtModelStep> {
  const step = await OrtModelStep.create({ modelDir, slots: 2, contextLength: 32, device })
  t.teardown(() => step.dispose())
  return step
}

/** Prefill in two pieces, a copied prefix, decode steps in both slots: the largest difference of logits. */
async function compare(wanted: OrtModelStep, found: OrtModelStep): Promise<number> {
  const random = createRandom(4)
  const tokens = Array.from({ length: 12 }, () => Math.floor(random() * wanted.vocabSize))
  let difference = 0
  const both = async (run: (step: OrtModelStep) => Promise<Float32Array>): Promise<void> => {
    const logits = [await run(wanted), await run(found)] as const
    difference = Math.max(difference, worst(...logits))
  }
  const prefill = (slot: number, start: number, end: number) => {
    const piece = tokens.slice(start, end)
    const logitPositions = piece.map((_, i) => i)
    return both((step) => step.prefill({ slot, tokens: piece, start, logitPositions }))
  }
  await prefill(1, 0, 7)
  await prefill(1, 7, 10)
  for (const step of [wanted, found]) step.copyPrefix(1, 0, 8)
  for (const position of [10, 11])
    await both((step) => step.decode({ first: 1, tokens: [tokens[position]!], positions: [position] })) // prettier-ignore
  await both((step) => step.decode({ first: 0, tokens: [3], positions: [8] }))
  return difference
}

t.test(
  '4 and 8 bits, prompts, steps, copied prefixes: as their values on the processor',
  { skip },
  async (t) => {
    const dir = t.testdir()
    const config = { hidden_size: 64, intermediate_size: 96 }
    await writeTinyCheckpoint(join(dir, 'floats'), { config })
    const blocks = await writeWeightsAs(join(dir, 'floats'), join(dir, 'blocks'), blocksOf(4, 8))
    const values = await writeWeightsAs(blocks, join(dir, 'values'), {
      kind: 'float',
      dtype: 'F32',
    })
    const [cpu, gpu] = [await openStep(t, values, 'cpu'), await openStep(t, blocks, 'webgpu')]
    const difference = await compare(cpu, gpu)
    t.ok(difference < TOLERANCE, `${difference}`)
  },
)

t.test(
  'the bundled model: the same text, alone, side by side and over a cache hit',
  { skip },
  async (t) => {
    const open = async (device: Device) => {
      const engine = await createEngine({ modelDir: village, slots: 2, contextLength: 64, device })
      t.teardown(() => engine.dispose())
      return engine
    }
    const [cpu, gpu] = [await open('cpu'), await open('webgpu')]
    const prompts = [
      [5, 9, 33, 71, 200, 31, 8],
      [5, 9, 33, 71, 200, 99, 3, 17],
    ]
    const write = async (engine: Engine, tokens: number[]) => {
      const request = { tokens, maxTokens: 5, temperature: 0, stopTokens: [] }
      const events = await collect(engine.generate(request))
      return { start: events[0], tokens: events.filter(({ type }) => type === 'token') }
    }
    const wanted = await Promise.all(prompts.map((tokens) => write(cpu, tokens)))
    const found = await Promise.all(prompts.map((tokens) => write(gpu, tokens)))
    found.forEach((reply, i) => t.same(reply.tokens, wanted[i]!.tokens))
    const again = await write(gpu, prompts[1]!)
    t.same(again.tokens, wanted[1]!.tokens)
    t.match(again.start, { type: 'start', cachedTokens: prompts[1]!.length - 2 })
  },
)

t.test(
  'runs read and write one cache on the device, and no kernel copies it',
  { skip },
  async (t) => {
    const dir = t.testdir()
    await writeTinyCheckpoint(dir)
    const size = { slots: 2, contextLength: 32 }
    const plan = await planDevice(dir, 'webgpu')
    const contextOf = () => size.contextLength
    const { model, weightsDirectory, config } = await buildDecodeModel(dir, contextOf, { plan })
    const profilePrefix = join(dir, 'trace')
    const session = await Session.create({
      model,
      weightsDirectory,
      device: 'webgpu',
      profilePrefix,
    })
    const cache = await DeviceCache.create(session, config, { ...size, type: 'float32' })
    const copier = await DeviceCopier.create('webgpu', 'float32')
    const binding = session.createBinding()
    const slotFloats = config.kvHeads * size.contextLength * config.headDim
    /** The key of head 0 at each position: whether there is any. */
    const filled = async (slot: number) => {
      const key = createTensor('float32', [slotFloats])
      await copier.copy(cache.tensors(slot, 1)[0]!.key as DeviceTensor<'float32'>, key)
      return Array.from({ length: 6 }, (_, p) => key.data.slice(p * config.headDim, (p + 1) * config.headDim).some((x) => x !== 0)) // prettier-ignore
    }
    const run = async (tokens: number[], start: number) => {
      const total = start + tokens.length
      const ids = BigInt64Array.from(tokens, BigInt)
      binding.bindInput('input_ids', createTensor('int64', [1, tokens.length], ids))
      binding.bindInput('seqlens_k', createTensor('int32', [1], Int32Array.of(total - 1)))
      binding.bindInput('total_sequence_length', createTensor('int32', [1], Int32Array.of(total)))
      binding.bindInput('logit_positions', createTensor('int64', [1], BigInt64Array.of(0n)))
      binding.bindOutput('logits', createTensor('float32', [1, 1, config.vocabSize]))
      await session.run(binding)
    }
    cache.tensors(1, 1).forEach((layer, i) => {
      for (const kind of ['key', 'value'] as const) {
        t.ok(layer[kind] instanceof DeviceTensor, 'past and present are memory of the device')
        binding.bindInput(`past_key_values.${i}.${kind}`, layer[kind])
        binding.bindOutput(`present.${i}.${kind}`, layer[kind])
      }
    })
    await run([1, 2, 3], 0)
    t.same(await filled(1), [true, true, true, false, false, false])
    await run([4], 3)
    t.same(await filled(1), [true, true, true, true, false, false])
    t.equal(binding.outputs().has('present.0.key'), false)

    const events = JSON.parse(readFileSync(session.endProfiling(), 'utf8')) as TraceEvent[]
    const kernels = events.filter(({ cat, args }) => cat === 'Node' && args?.op_name)
    t.ok(kernels.some(({ args }) => args!.op_name === 'GroupQueryAttention'))
    const copies = kernels.filter(({ args }) => args!.op_name!.startsWith('Memcpy'))
    const largest = Math.max(0, ...copies.map(({ args }) => Number(args!.output_size ?? 0)))
    t.ok(largest < 4 * slotFloats, `the largest copy between kernels has ${largest} bytes`)
    const onCpu = kernels.filter(({ args }) => args!.provider === 'CPUExecutionProvider')
    const others = ['MatMul', 'Gemm', 'FusedMatMul', 'GroupQueryAttention']
    t.same(
      onCpu.filter(({ args }) => others.includes(args!.op_name!)),
      [],
    )
    binding.dispose()
    cache.dispose()
    copier.dispose()
    session.dispose()
  },
)

t.test('an attribute model: the same scores', { skip }, async (t) => {
  const dir = t.testdir()
  await writeTinyCheckpoint(dir)
  await writeTinyHead(dir, 3)
  const rows = [[1, 2, 3], [4], [5, 6, 7, 8, 9]]
  const scores: Float32Array[][] = []
  for (const device of ['cpu', 'webgpu'] as const) {
    const scorer = await createScorer({ modelDir: dir, device })
    scores.push(await scorer.score(rows))
    await scorer.dispose()
  }
  rows.forEach((_, i) => t.ok(worst(scores[0]![i]!, scores[1]![i]!) < TOLERANCE, `row ${i}`))
})
