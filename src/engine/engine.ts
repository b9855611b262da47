/** The engine of one language model: a checkpoint folder in, streams of tokens out. */

import type { ModelConfig } from '../arch/index.ts'
import { fail } from '../errors.ts'
import type { Device } from '../ort/index.ts'
import type { EngineEvent, EngineRequest } from './engine-types.ts'
import type { KvBudget } from './kv-budget.ts'
import { OrtModelStep } from './ort-model-step.ts'
import { Scheduler } from './scheduler.ts'

export interface EngineOptions {
  modelDir: string
  /** Memory for keys and values; `kv-budget.ts` says what follows from it. */
  kvMemoryBytes?: number
  /** Streams that run at the same time. */
  slots?: number
  /** Tokens of prompt and reply together; by default what the checkpoint allows, at most 4096. */
  contextLength?: number
  /** Threads of one run; by default one for each core. */
  threads?: number
  /** Where the model runs; default `cpu`. */
  device?: Device
  /** Guess at tokens while one stream runs alone: `ngram`, by prompt lookup. */
  speculative?: 'ngram'
  /** Requests that may wait for a slot. */
  queueLimit?: number
  /** The prefix cache's part of the memory, where it is not to be a quarter. */
  prefixBytes?: number
  /** Prompt tokens computed between two decode steps. */
  chunkTokens?: number
}

export interface Engine {
  readonly config: ModelConfig
  readonly contextLength: number
  /** How the memory for keys and values is divided. */
  readonly kv: KvBudget
  /**
   * Enqueues the request at once and returns its events. Throws BAD_REQUEST, CONTEXT_TOO_LONG or
   * QUEUE_FULL right here; the iteration ends with CANCELLED when the signal aborts. Events wait
   * for a slow reader; leaving the iteration early cancels the rest.
   */
  generate(request: EngineRequest, signal?: AbortSignal): AsyncIterable<EngineEvent>
  /** A PEFT folder for `EngineRequest.adapter`. Fails BAD_CHECKPOINT where it does not fit the model. */
  loadAdapter(dir: string): Promise<number>
  /** Of one that no stream uses any more. */
  unloadAdapter(id: number): void
  /** Waits for the step in flight; open streams end with CANCELLED. */
  dispose(): Promise<void>
}

function checkCount(name: string, value: number, max: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= max) return value
  return fail('BAD_ARGUMENT', `${name}: expected an integer from 1 to ${max}, got ${value}`)
}

/** Loads a checkpoint for generation. The caller disposes the engine. */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  const { slots } = options
  if (slots !== undefined) checkCount('slots', slots, 256)
  const chunkTokens = checkCount('chunk tokens', options.chunkTokens ?? 128, 4096)
  const queueLimit = checkCount('queue limit', options.queueLimit ?? 256, 1_000_000)
  const { modelDir, contextLength, threads, device, kvMemoryBytes: memoryBytes } = options
  const size = { slots, contextLength, memoryBytes }
  const step = await OrtModelStep.create({ modelDir, threads, device, ...size })
  // The cache of another device does not come back to the processor.
  const asked = step.device === 'cpu' ? options.prefixBytes : 0
  const prefixBytes = asked ?? step.budget.prefixBytes
  const scheduler = new Scheduler(step, {
    chunkTokens,
    queueLimit,
    prefixBytes,
    settle: true,
    speculative: options.speculative === 'ngram',
  })
  return {
    config: step.config,
    contextLength: step.contextLength,
    kv: step.budget,
    generate: (request, signal) => scheduler.submit(request, signal),
    loadAdapter: (dir) => step.loadAdapter(dir),
    unloadAdapter: (id) => step.unloadAdapter(id),
    dispose: () => scheduler.dispose(),
  }
}
