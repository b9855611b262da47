/**
 * Adapters chosen row by row: PEFT's own numbers, several in one batch, rows without one unchanged but for rounding, and
 * caches that no two adapters share. Over the reference checkpoints, and over their weights in other forms.
 */
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { architectureOf, readModelConfig } from '../../src/arch/index.ts'
import { createEngine, type EngineEvent } from '../../src/engine/index.ts'
import { OrtModelStep } from '../../src/engine/ort-model-step.ts'
import { createRandom } from '../../src/util/random.ts'
import { writeAdapter } from '../../src/weights/peft-adapter.ts'
import { largestDifference } from '../fixtures/nd-array.ts'
import { blocksOf, writeWeightsAs } from '../fixtures/quantized-folder.ts'
import { expectedOf, folderOf, referenceFolders, skip } from '../fixtures/reference-folders.ts'
import { collect } from './reference-generation.ts'

/** Products of other shapes sum in another order; PEFT's numbers have six decimals. */
const TOLERANCE = 1e-4
const trained = (name: string): string => join(folderOf(name), 'lora-trained')

/** Random, of another rank than the fixture's, on two of the layers' projections only. */
async function writeOther(t: Test, name: string): Promise<string> {
  const config = await readModelConfig(folderOf(name))
  const { linearLayers, weights } = architectureOf(config)
  const shapes = weights(config)
  const targets = linearLayers.slice(-2).map((layer) => `model.layers.0.${layer}`)
  const rank = 6
  const lora = new Map(
    targets.flatMap((target) => {
      const [out, columns] = shapes.get(`${target}.weight`)! as [number, number]
      return [
        [`${target}.lora_A`, [rank, columns]],
        [`${target}.lora_B`, [out, rank]],
      ] as [string, number[]][]
    }),
  )
  const random = createRandom(11)
  const tensors = new Map(
    [...lora].map(([key, shape]) => [key, Float32Array.from({ length: shape[0]! * shape[1]! }, () => 0.3 * (random.next() - 0.5))]), // prettier-ignore
  )
  const dir = join(t.testdir(), 'other')
  await writeAdapter(dir, { rank, alpha: 12, targets: new Set(targets), tensors }, lora, name)
  return dir
}

for (const name of referenceFolders) {
  t.test(`${name}: rows of one batch have adapters of their own`, { skip }, async (t) => {
    const { tokens, train, logits_at: plain } = expectedOf(name)
    const step = await OrtModelStep.create({ modelDir: folderOf(name), slots: 4, contextLength: 64 }) // prettier-ignore
    t.teardown(() => step.dispose())
    const V = step.vocabSize
    const prompt = tokens.slice(0, 39)
    const prefill = async (slot: number, adapter: number, list = prompt) =>
      Float32Array.from(await step.prefill({ slot, tokens: list, start: 0, logitPositions: [list.length - 1], adapter })) // prettier-ignore
    const decode = async (adapters: number[]) => {
      const rows = adapters.map(() => 0)
      const logits = await step.decode({ first: 0, tokens: rows.map(() => tokens[39]!), positions: rows.map(() => 39), adapters }) // prettier-ignore
      return adapters.map((_, row) => Float32Array.from(logits.subarray(row * V, (row + 1) * V)))
    }

    for (const slot of [0, 1, 2, 3]) await prefill(slot, 0)
    const before = await decode([0, 0, 0, 0])

    const [first, second] = [await step.loadAdapter(trained(name)), await step.loadAdapter(await writeOther(t, name))] // prettier-ignore
    const whole = await prefill(0, first, tokens)
    const wanted = train.lora.logits_after_at_39
    const difference = largestDifference(whole.subarray(0, wanted.length), wanted)
    t.ok(difference < TOLERANCE, `PEFT's logits: largest difference ${difference}`)
    t.ok(largestDifference(plain[39]!, wanted) > 0.01, 'the adapter makes a difference')

    const alone = async (adapter: number) => {
      await prefill(0, adapter)
      return (await decode([adapter]))[0]!
    }
    const ofFirst = await alone(first)
    const ofSecond = await alone(second)
    t.ok(largestDifference(ofFirst.subarray(0, wanted.length), wanted) < TOLERANCE)
    t.ok(largestDifference(ofFirst, ofSecond) > 0.01)
    const chosen = [first, 0, second, 0]
    for (const [slot, adapter] of chosen.entries()) await prefill(slot, adapter)
    const mixed = await decode(chosen)
    t.ok(largestDifference(mixed[0]!, ofFirst) < TOLERANCE)
    t.ok(largestDifference(mixed[2]!, ofSecond) < TOLERANCE)
    t.ok(largestDifference(mixed[1]!, before[1]!) < TOLERANCE, 'rows without an adapter stay')
    t.ok(largestDifference(mixed[3]!, before[3]!) < TOLERANCE)

    step.unloadAdapter(first)
    await prefill(2, second)
    const after = await decode([0, 0, second, first])
    t.ok(largestDifference(after[2]!, ofSecond) < TOLERANCE, 'unloading one leaves the other')
    t.ok(largestDifference(after[3]!, before[3]!) < TOLERANCE, 'a number that is gone means none')
    step.unloadAdapter(second)
    await prefill(0, 0)
    t.same((await decode([0, 0, 0, 0]))[1], before[1])
  })

  t.test(`${name}: caches are not shared between adapters`, { skip }, async (t) => {
    const { tokens } = expectedOf(name)
    const engine = await createEngine({ modelDir: folderOf(name), slots: 3, contextLength: 96 })
    t.teardown(() => engine.dispose())
    const ids = [
      0,
      await engine.loadAdapter(trained(name)),
      await engine.loadAdapter(trained(name)),
    ]
    const ask = (adapter: number) =>
      collect(engine.generate({ tokens, maxTokens: 12, temperature: 0, stopTokens: [], logprobs: 0, adapter, cacheSpace: String(adapter) })) // prettier-ignore
    const logprobs = (events: EngineEvent[]): number[] =>
      events.flatMap((event) => (event.type === 'token' ? [event.logprob!.logprob!] : []))
    const cached = (events: EngineEvent[]): number =>
      events.flatMap((event) => (event.type === 'start' ? [event.cachedTokens] : []))[0]!
    const apart: EngineEvent[][] = []
    for (const id of ids) apart.push(await ask(id))
    t.same(apart.map(cached), [0, 0, 0])
    const together = await Promise.all(ids.map(ask))
    t.same(together.map(cached), [38, 38, 38], 'each finds its own')
    together.forEach((events, i) => {
      const difference = largestDifference(logprobs(events), logprobs(apart[i]!))
      t.ok(difference < TOLERANCE, `adapter ${i}: ${difference}`)
    })
    t.ok(largestDifference(logprobs(apart[0]!), logprobs(apart[1]!)) > 1e-4)
  })

  t.test(`${name}: a folder that does not fit is refused`, { skip }, async (t) => {
    const engine = await createEngine({ modelDir: folderOf(name), slots: 1, contextLength: 32 })
    t.teardown(() => engine.dispose())
    const config = await readModelConfig(folderOf(name))
    const layer = `model.layers.0.${architectureOf(config).linearLayers[0]!}`
    const write = async (target: string, shape: [number, number]): Promise<string> => {
      const shapes = new Map<string, readonly number[]>([[`${target}.lora_A`, [2, shape[1]]], [`${target}.lora_B`, [shape[0], 2]]]) // prettier-ignore
      const tensors = new Map([...shapes].map(([key, [a, b]]) => [key, new Float32Array(a! * b!)]))
      const dir = t.testdir()
      await writeAdapter(dir, { rank: 2, alpha: 2, targets: new Set([target]), tensors }, shapes, name) // prettier-ignore
      return dir
    }
    await t.rejects(engine.loadAdapter(await write('model.layers.99.mlp.down_proj', [8, 8])), { code: 'BAD_CHECKPOINT', detail: /"model\.layers\.99\.mlp\.down_proj" is no linear layer/ }) // prettier-ignore
    await t.rejects(engine.loadAdapter(await write(layer, [8, 8])), { code: 'BAD_CHECKPOINT', detail: /lora_A\.weight": expected 2 × \d+ numbers/ }) // prettier-ignore
    await t.rejects(engine.loadAdapter(t.testdir()), { code: 'BAD_CHECKPOINT', detail: /adapter_config\.json/ }) // prettier-ignore
  })
}

/** Logits after the first 39 tokens: without an adapter and with the fixture's, in the order of the batch [0, 1]. */
async function logitsOf(t: Test, modelDir: string, name: string): Promise<Float32Array[]> {
  const step = await OrtModelStep.create({ modelDir, slots: 2, contextLength: 64 })
  t.teardown(() => step.dispose())
  const { tokens } = expectedOf(name)
  const adapter = await step.loadAdapter(trained(name))
  const last = tokens.length - 1
  for (const [slot, id] of [0, adapter].entries())
    await step.prefill({ slot, tokens: tokens.slice(0, last), start: 0, logitPositions: [last - 1], adapter: id }) // prettier-ignore
  const next = { first: 0, tokens: [tokens[last]!, tokens[last]!], positions: [last, last] }
  const logits = await step.decode({ ...next, adapters: [0, adapter] })
  return [0, 1].map((row) => Float32Array.from(logits.subarray(row * step.vocabSize, (row + 1) * step.vocabSize))) // prettier-ignore
}

for (const name of referenceFolders) {
  t.test(`${name}: over weights in other forms`, { skip }, async (t) => {
    const folder = (form: string): string => join(t.testdirName, form)
    t.testdir({})
    const wanted = expectedOf(name).train.lora.logits_after_at_39
    const floats = await writeWeightsAs(folderOf(name), folder('f32'), {
      kind: 'float',
      dtype: 'F32',
    })
    const [plain, adapted] = (await logitsOf(t, floats, name)) as [Float32Array, Float32Array]
    // Written anew, q, k and v lie next to one another and are one product without adapters.
    const difference = largestDifference(adapted.subarray(0, wanted.length), wanted)
    t.ok(difference < TOLERANCE, `joint products: largest difference from PEFT ${difference}`)
    const blocks = await writeWeightsAs(folderOf(name), folder('q8'), blocksOf(8))
    const [plain8, adapted8] = (await logitsOf(t, blocks, name)) as [Float32Array, Float32Array]
    // Were the adapter left out over 8 bits, all of its effect would be lost.
    const effect = adapted.map((value, i) => value - plain[i]!)
    const lost = adapted8.map((value, i) => value - plain8[i]! - effect[i]!)
    const share = Math.hypot(...lost) / Math.hypot(...effect)
    t.ok(share < 0.5, `8 bits change ${share} of the adapter's effect`)
  })
}
