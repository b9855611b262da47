/** What all training commands do alike: run with progress, metrics and signals, from flags to tensors. */
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import {
  trainModel,
  type HyperParameters,
  type TrainedModel,
  type TrainModelOptions,
} from '../training/train-model.ts'
import type { FlagValues } from '../util/args.ts'
import { createMetricsLog } from '../util/metrics-log.ts'
import { createProgress, type Progress } from '../util/progress.ts'
import { createPausePoint, workHost } from '../util/work-host.ts'
import { trainOnDevice } from './device-flag.ts'
import type { trainingFlags } from './training-flags.ts'

export interface TrainingTask {
  readonly name: string
  readonly home: string
  readonly values: FlagValues<typeof trainingFlags>
  readonly hyper: HyperParameters
  readonly base: TrainModelOptions['base']
  readonly rows: TrainModelOptions['rows']
  readonly lora?: TrainModelOptions['lora']
  readonly identity: Readonly<Record<string, unknown>>
}

/** Where checkpoints of a training lie until its result is written. */
export const trainingWorkDir = (home: string, name: string) => join(home, 'trainings', name)

/** Runs to the end; SIGINT and SIGTERM save a checkpoint first. */
export async function runTraining(task: TrainingTask): Promise<TrainedModel> {
  const { values } = task
  const log = createMetricsLog(values['log-jsonl'])
  const abort = new AbortController()
  const stop = () => abort.abort()
  process.once('SIGINT', stop).once('SIGTERM', stop)
  let progress: Progress | undefined
  try {
    return await trainOnDevice(values.device, (device) =>
      trainModel({
        device,
        ...task,
        workDir: trainingWorkDir(task.home, task.name),
        resume: values.resume,
        checkpointEvery: values['checkpoint-every'],
        evalEvery: values['eval-every'] || Number.MAX_SAFE_INTEGER,
        threads: values.threads || availableParallelism(),
        signal: abort.signal,
        onCheckpoint: (step) => workHost()?.checkpoint(step),
        pause: createPausePoint(),
        onStart(total) {
          progress = createProgress({ label: `train ${task.name}`, total, unit: 'steps' })
        },
        onStep(metrics) {
          log.write(metrics)
          progress?.update(
            metrics.step,
            `loss ${metrics.loss.toFixed(4)} ${metrics.tokens_per_s} tok/s`,
          )
        },
        onEvaluation(step, loss) {
          log.write({ step, validation_loss: loss })
          process.stderr.write(`step ${step}: validation loss ${loss.toFixed(4)}\n`)
        },
      }),
    )
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop)
    progress?.stop()
    log.close()
  }
}
