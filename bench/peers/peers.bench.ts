/**
 * Decoding and prefill side by side with llama.cpp, in one run on the same random weights: 4-bit blocks of 32 throughout
 * on both sides (`q4-all` and Q4_0), the same threads, greedy. The two take turns round by round; a row's ratio is the
 * median of the rounds' ratios.
 */
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { openModel } from '../../src/arch/index.ts'
import { quantizeModel } from '../../src/commands/quantize-model.ts'
import { createEngine, type Engine } from '../../src/engine/index.ts'
import { readManifest } from '../../src/registry/model-folder.ts'
import { decodeSamples } from '../decode.bench.ts'
import { percentile, randomPrompts, rounded, timeEvents } from '../measure.ts'
import { writeGguf } from './gguf.ts'
import { installLlamaCpp, startLlamaCpp, type LlamaCpp } from './llama-cpp.ts'
import { shapes, writeShape, type ShapeName } from './shapes.ts'

export interface PeersBenchOptions {
  /** The data folder; what the bench makes stays in its `bench` folder. */
  readonly home: string
  readonly threads?: number
  readonly rounds?: number
  readonly batches?: readonly number[]
}

const decoding = { prompt: 64, fresh: 64 }
const prefillTokens = 512
const contextLength = 1024

interface Sides {
  readonly engine: Engine
  readonly peer: LlamaCpp
}

/** Tokens a second of both sides, in one round. */
type Round = (round: number) => Promise<readonly [ours: number, theirs: number]>

async function quantize(from: string, to: string): Promise<void> {
  const { config, checkpoint } = await openModel(from)
  try {
    const manifest = await readManifest(from)
    await quantizeModel({ from, to, scheme: 'q4-all', config, checkpoint, manifest })
  } finally {
    await checkpoint.close()
  }
}

async function prepare(
  name: ShapeName,
  { home, threads = availableParallelism(), batches = [1, 8] }: PeersBenchOptions,
): Promise<Sides> {
  // prettier-ignore
  const folder = join(home, 'bench')
  const original = join(folder, name)
  const gguf = join(folder, `${name}.q4_0.gguf`)
  const quantized = join(folder, `${name}.q4-all`)
  if (!existsSync(gguf) || !existsSync(quantized)) await writeShape(name, original)
  if (!existsSync(gguf)) await writeGguf(name, original, gguf)
  if (!existsSync(quantized)) await quantize(original, quantized)
  await rm(join(folder, name, 'model.safetensors'), { force: true })
  const sequences = Math.max(...batches)
  const installed = installLlamaCpp(join(folder, 'llama-cpp'))
  const peer = await startLlamaCpp({ installed, path: gguf, threads, sequences, contextLength })
  const engine = await createEngine({
    modelDir: quantized,
    slots: sequences,
    threads,
    contextLength,
  })
  return { engine, peer }
}

const decodeRound =
  ({ engine, peer }: Sides, batch: number): Round =>
  async (round) => {
    const size = { count: batch, tokens: decoding.prompt, seed: round * 1000 + batch }
    const prompts = randomPrompts(engine, size)
    const ours = prompts.map((tokens) =>
      timeEvents(
        engine.generate({ tokens, maxTokens: decoding.fresh, temperature: 0, stopTokens: [], ignoreStop: true }), // prettier-ignore
      ),
    )
    const rate = (times: readonly (readonly number[])[]) => decodeSamples(times).tokensPerSecond[0]!
    const first = rate(await Promise.all(ours))
    return [first, rate(await peer.decode(prompts, decoding.fresh))]
  }

const prefillRound =
  ({ engine, peer }: Sides): Round =>
  async (round) => {
    const [prompt] = randomPrompts(engine, { count: 1, tokens: prefillTokens, seed: round })
    const started = performance.now()
    await timeEvents(engine.generate({ tokens: prompt!, maxTokens: 1, temperature: 0, stopTokens: [] })) // prettier-ignore
    const ms = performance.now() - started
    return [(prefillTokens * 1000) / ms, (prefillTokens * 1000) / (await peer.prefill(prompt!))]
  }

async function compare(label: object, round: Round, rounds: number): Promise<void> {
  await round(0)
  const results: (readonly [number, number])[] = []
  for (let i = 1; i <= rounds; i += 1) results.push(await round(i))
  const median = (values: readonly number[]): number => rounded(percentile(values, 0.5))
  const row = {
    ...label,
    steerlm_tokens_per_s: median(results.map(([ours]) => ours)),
    llama_cpp_tokens_per_s: median(results.map(([, theirs]) => theirs)),
    ratio: median(results.map(([ours, theirs]) => ours / theirs)),
  }
  process.stdout.write(`${JSON.stringify(row)}\n`)
}

/** One JSON line a shape and batch size. */
export async function runPeersBench(
  topic: 'decode' | 'prefill',
  options: PeersBenchOptions,
): Promise<void> {
  const { rounds = 5, batches = [1, 2, 4, 8] } = options
  for (const shape of Object.keys(shapes) as ShapeName[]) {
    const sides = await prepare(shape, { ...options, batches })
    try {
      const label = { bench: `${topic} --peers`, shape, weights: 'q4-all' }
      if (topic === 'prefill')
        await compare({ ...label, tokens: prefillTokens }, prefillRound(sides), rounds)
      else
        for (const batch of batches)
          await compare({ ...label, batch }, decodeRound(sides, batch), rounds)
    } finally {
      sides.peer.close()
      await sides.engine.dispose()
    }
  }
}
