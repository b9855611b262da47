/**
 * steerlm's side of `bench train --peers`, in a process of its own so that its peak memory can be told. Same
 * commands as `pytorch_process.py`.
 */
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { architectureOf } from '../../src/arch/architectures.ts'
import { openModel } from '../../src/arch/index.ts'
import { fileWeights } from '../../src/arch/weights.ts'
import { languageModelFeed } from '../../src/training/feeds.ts'
import {
  checkpointParams,
  freshState,
  linearLayerNames,
  loraShapes,
  randomLora,
} from '../../src/training/initial-state.ts'
import { TrainSession } from '../../src/training/train-session.ts'
import { createRandom } from '../../src/util/random.ts'

export interface LoadRequest {
  readonly op: 'load'
  readonly dir: string
  /** LoRA rank; 0: all weights. */
  readonly rank: number
  readonly alpha: number
  readonly threads: number
  readonly rowTokens: number
}
export interface StepAnswer {
  readonly ms: number
  readonly loss: number
  readonly grad_norm: number
}
type Request =
  LoadRequest | { readonly op: 'step'; readonly rows: number[][] } | { readonly op: 'peak' }

let session: TrainSession | undefined
let steps = 0

async function load({ dir, rank, alpha, threads, rowTokens }: LoadRequest) {
  const { config, checkpoint } = await openModel(dir)
  const architecture = architectureOf(config)
  const targets = new Set(linearLayerNames(architecture, config))
  const lora = rank > 0 ? { rank, scale: alpha / rank, targets } : undefined
  const trainables = lora ? loraShapes(architecture, config, lora) : architecture.weights(config)
  const params = lora
    ? randomLora(trainables, createRandom(1))
    : await checkpointParams(checkpoint, architecture, config)
  const options = {
    config,
    architecture,
    objective: { kind: 'lm' as const },
    trainables,
    frozen: (b: Parameters<typeof fileWeights>[0]) => fileWeights(b, checkpoint),
    lora,
    maxTokens: rowTokens,
    adam: { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, clipNorm: 1 },
    weightDecay: 0.01,
    threads,
    weightsDirectory: dir,
    accumulate: 1,
  }
  session = await TrainSession.create(options, freshState(params))
  return { parameters: [...params.values()].reduce((sum, data) => sum + data.length, 0) }
}

/** One optimizer step from token numbers to new weights. */
async function step(rows: readonly number[][]): Promise<StepAnswer> {
  const started = performance.now()
  const counted = rows.reduce((sum, row) => sum + row.length - 1, 0)
  const masked = rows.map((tokens) => {
    return { tokens, lossMask: new Uint8Array(tokens.length).fill(1) }
  })
  const feed = languageModelFeed(masked, counted)
  const { loss, gradNorm } = await session!.step([feed], { step: ++steps, lr: 1e-4 })
  return { ms: performance.now() - started, loss, grad_norm: gradNorm }
}

function peakBytes(): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS * 1024
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))![1]) * 1024
}

function answer(request: Request): unknown {
  if (request.op === 'load') return load(request)
  return request.op === 'step' ? step(request.rows) : { bytes: peakBytes() }
}

for await (const line of createInterface({ input: process.stdin })) {
  const result = await answer(JSON.parse(line) as Request)
  process.stdout.write(`${JSON.stringify(result)}\n`)
}
session?.dispose()
