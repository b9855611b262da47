/**
 * The step loop, from the first batch or a checkpoint to the last step: feeds, schedule, NaN guard,
 * metrics, evaluation, checkpoints. What is trained is the session's business.
 */
import { fail } from '../errors.ts'
import {
  changedSettings,
  clearTraining,
  restoreTraining,
  saveTraining,
} from './checkpoint-store.ts'
import type { Shapes } from './initial-state.ts'
import { learningRate, type Schedule } from './schedule.ts'
import type { Feed, TrainSession } from './train-session.ts'

/** The micro-batches of one optimizer step. */
export interface StepBatch {
  readonly feeds: readonly Feed[]
  /** Real tokens in it, padding not counted. */
  readonly tokens: number
  /** Targets or labels over which the loss is the mean. */
  readonly counted: number
  /** Names the rows, for the message when the loss is not a number. */
  readonly rows: string
}

/** An endless supply of steps whose position can be saved and restored exactly. */
export interface StepSource {
  next(): Promise<StepBatch>
  position(): unknown
  restore(position: unknown): void
}

export interface StepMetrics {
  readonly step: number
  readonly loss: number
  readonly grad_norm: number
  readonly lr: number
  readonly tokens: number
  readonly tokens_per_s: number
}

export interface LoopOptions {
  readonly session: TrainSession
  readonly shapes: Shapes
  readonly source: StepSource
  readonly schedule: Schedule
  readonly workDir: string
  readonly resume: boolean
  readonly checkpointEvery: number
  readonly evalEvery: number
  /** Everything that decides the result, compared on resume. */
  readonly settings: Readonly<Record<string, unknown>>
  readonly evaluate?: () => Promise<number>
  readonly onStep?: (metrics: StepMetrics) => void
  readonly onEvaluation?: (step: number, loss: number) => void
  /** After a checkpoint is on the disk. */
  readonly onCheckpoint?: (step: number) => void
  /** Awaited before every step; the place to let others go first. */
  readonly pause?: () => Promise<void>
  readonly signal?: AbortSignal
}

export interface LoopResult {
  readonly steps: number
  /** Mean training loss of the last 50 steps. */
  readonly loss: number
  readonly evaluations: readonly { readonly step: number; readonly loss: number }[]
}

interface Progress {
  recentLosses: number[]
  evaluations: { step: number; loss: number }[]
}

async function resume(options: LoopOptions): Promise<{ step: number; progress: Progress }> {
  const fresh = { step: 0, progress: { recentLosses: [], evaluations: [] } }
  if (!options.resume) {
    // Checkpoints of an earlier run would outlive this run's, and a later resume would take them.
    await clearTraining(options.workDir)
    return fresh
  }
  const saved = await restoreTraining(options.workDir, options.session.state)
  if (!saved) return fresh
  const changed = changedSettings(saved.settings, options.settings)
  if (changed.length)
    fail(
      'BAD_ARGUMENT',
      `--resume: these settings differ from the checkpoint's: ${changed.join(', ')}`,
    )
  options.source.restore(saved.batches)
  return { step: saved.step, progress: saved.progress as unknown as Progress }
}

const mean = (values: readonly number[]) => values.reduce((sum, v) => sum + v, 0) / values.length

/** Runs to `schedule.totalSteps`. On abort it saves a checkpoint and throws CANCELLED. */
export async function runLoop(options: LoopOptions): Promise<LoopResult> {
  const { session, source, schedule, workDir, settings } = options
  const { step: first, progress } = await resume(options)
  const save = async (step: number) => {
    await session.pull()
    await saveTraining(workDir, session.state, options.shapes, {
      step,
      batches: source.position(),
      settings,
      progress: { ...progress },
    })
    options.onCheckpoint?.(step)
  }
  for (let step = first + 1; step <= schedule.totalSteps; step++) {
    await options.pause?.()
    if (options.signal?.aborted) {
      await save(step - 1)
      fail('CANCELLED', `stopped after step ${step - 1}; --resume continues`)
    }
    const batch = await source.next()
    const lr = learningRate(schedule, step)
    const started = performance.now()
    const { loss, gradNorm } = await session.step(batch.feeds, { step, lr })
    if (!Number.isFinite(loss) || !Number.isFinite(gradNorm)) {
      fail(
        'LOSS_NOT_FINITE',
        `step ${step}: loss ${loss}, gradient norm ${gradNorm}, rows ${batch.rows}; the last checkpoint is kept`,
      )
    }
    const seconds = (performance.now() - started) / 1000
    options.onStep?.({
      step,
      loss,
      grad_norm: gradNorm,
      lr,
      tokens: batch.tokens,
      tokens_per_s: Math.round(batch.tokens / seconds),
    })
    progress.recentLosses = [...progress.recentLosses, loss].slice(-50)
    const last = step === schedule.totalSteps
    if (options.evaluate && options.evalEvery > 0 && (last || step % options.evalEvery === 0)) {
      const value = await options.evaluate()
      progress.evaluations.push({ step, loss: value })
      options.onEvaluation?.(step, value)
    }
    if (options.checkpointEvery > 0 && step % options.checkpointEvery === 0 && !last)
      await save(step)
  }
  return {
    steps: schedule.totalSteps,
    loss: mean(progress.recentLosses),
    evaluations: progress.evaluations,
  }
}
