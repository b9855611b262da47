/**
 * OpenAI's fine-tuning over our jobs: the training file becomes a data set, then a training and a publication run as
 * one pipeline, so that the finished model can be chatted with under its name. The training stands for the whole.
 */
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { CreateFineTuningJob } from '../../schemas/fine-tuning.ts'
import type { PipelineStep } from '../../schemas/jobs.ts'
import { SteerError, fail } from '../errors.ts'
import type { StoredEvent, StoredJob } from '../jobs/job-store.ts'
import type { Datasets } from './datasets.ts'
import type { Files } from './files.ts'
import type { JobService } from './job-service.ts'

/** What OpenAI's `learning_rate_multiplier` multiplies: the default of `steerlm train`. */
const baseLearningRate = 3e-4
const defaultSeed = 1

export const TuningRequest = z.object({
  model: z.string(),
  training_file: z.string(),
  suffix: z.string().nullable(),
  seed: z.number(),
  hyperparameters: z.object({
    batch_size: z.union([z.literal('auto'), z.number()]),
    learning_rate_multiplier: z.union([z.literal('auto'), z.number()]),
    n_epochs: z.union([z.literal('auto'), z.number()]),
  }),
  metadata: z.record(z.string(), z.string()).nullable(),
})
/** What was asked for, kept with the training. */
export type TuningRequest = z.infer<typeof TuningRequest>

export interface Tuning {
  readonly request: TuningRequest
  readonly training: StoredJob & { kind: 'train' }
  /** Null: it was deleted. */
  readonly publication: StoredJob | null
  /** Of a training that has succeeded. */
  readonly trainedTokens: number | null
}

export interface FineTuning {
  /** Fails FILE_NOT_FOUND, BAD_RECORD (no valid row) and as `JobService.createPipeline` does. */
  create(body: CreateFineTuningJob, keyId: string | null): Promise<Tuning>
  /** Newest first, those created before the one with the id `before`. */
  list(limit: number, before?: string): Promise<Tuning[]>
  /** By the training's id. Fails JOB_NOT_FOUND on other jobs, too. */
  get(id: string): Promise<Tuning>
  cancel(id: string): Promise<Tuning>
  /** Newest first, those before a seq. */
  events(id: string, limit: number, before?: number): Promise<StoredEvent[]>
}

export interface FineTuningOptions {
  readonly jobs: JobService
  readonly files: Pick<Files, 'open'>
  readonly datasets: Pick<Datasets, 'get' | 'importFile'>
}

const marker = { api: 'fine_tuning' }

export function createFineTuning({ jobs, files, datasets }: FineTuningOptions): FineTuning {
  /** The file's rows as a data set, named by its content. */
  const importFile = async (fileId: string): Promise<string> => {
    const { path, filename, sha256 } = await files.open(fileId)
    const name = `file-${sha256.slice(0, 24)}`
    const isThere = await datasets.get(name).then(() => true, isMissing)
    if (isThere) return name
    try {
      await datasets.importFile({ path, fileName: filename, format: 'chat', name })
    } catch (error) {
      // Another request with the same file was faster.
      if (!(error instanceof SteerError) || error.code !== 'ALREADY_EXISTS') throw error
    }
    return name
  }

  const describe = async (training: StoredJob): Promise<Tuning> => {
    const request = requestOf(training)
    if (!request || training.kind !== 'train') return unknownTuning(training.id)
    const steps = training.pipelineId ? await jobs.inPipeline(training.pipelineId) : []
    const tokens = training.status === 'succeeded' ? await jobs.trainedTokens(training.id) : null
    const publication = steps.find(({ kind }) => kind === 'publish') ?? null
    return { request, training, publication, trainedTokens: tokens }
  }
  const get = async (id: string): Promise<Tuning> => describe(await jobs.get(id))

  return {
    async create(body, keyId) {
      const request = toRequest(body)
      const data = await importFile(body.training_file)
      const pipeline = stepsFor(request, data)
      const [training] = await jobs.createPipeline({ pipeline, name: 'fine-tuning' }, keyId)
      return describe(training!)
    },
    async list(limit, before) {
      const found = await jobs.withSpec({ metadata: marker }, { limit, ...(before && { before }) })
      return Promise.all(found.map(describe))
    },
    get,
    async cancel(id) {
      await get(id)
      await jobs.cancel(id)
      return get(id)
    },
    async events(id, limit, before) {
      await get(id)
      return jobs.lastEvents(id, limit, before)
    },
  }
}

function isMissing(error: unknown): false {
  if (error instanceof SteerError && error.code === 'DATASET_NOT_FOUND') return false
  throw error
}

const unknownTuning = (id: string): never => fail('JOB_NOT_FOUND', `"${id}" is no fine-tuning`)

function toRequest(body: CreateFineTuningJob): TuningRequest {
  const given = body.method?.supervised?.hyperparameters ?? body.hyperparameters
  return {
    model: body.model,
    training_file: body.training_file,
    suffix: body.suffix ?? null,
    seed: body.seed ?? defaultSeed,
    hyperparameters: {
      batch_size: given?.batch_size ?? 'auto',
      learning_rate_multiplier: given?.learning_rate_multiplier ?? 'auto',
      n_epochs: given?.n_epochs ?? 'auto',
    },
    metadata: body.metadata ?? null,
  }
}

/** `village` and the suffix "My tales" → `village-my-tales-1f2e3d4c`. */
function modelName({ model, suffix }: TuningRequest): string {
  const clean = (text: string): string =>
    text
      .toLowerCase()
      .replaceAll(/[^a-z0-9._-]+/g, '-')
      .replaceAll(/^-+|-+$/g, '')
      .slice(0, 40)
  const parts = [clean(model), suffix === null ? '' : clean(suffix), randomUUID().slice(0, 8)]
  return parts.filter(Boolean).join('-')
}

const chosen = (value: 'auto' | number): number | undefined => (value === 'auto' ? undefined : value) // prettier-ignore

function stepsFor(request: TuningRequest, data: string): PipelineStep[] {
  const { hyperparameters, model, seed } = request
  const name = modelName(request)
  const multiplier = chosen(hyperparameters.learning_rate_multiplier)
  const spec = {
    stage: 'sft' as const,
    data,
    base: model,
    name,
    seed,
    epochs: chosen(hyperparameters.n_epochs),
    batch_size: chosen(hyperparameters.batch_size),
    lr: multiplier === undefined ? undefined : multiplier * baseLearningRate,
    metadata: { ...marker, request: JSON.stringify(request) },
  }
  const publish = { model: name, from: name, aliases: ['prod'] }
  return [
    { ref: 'train', kind: 'train', spec },
    { ref: 'publish', kind: 'publish', spec: publish, after: ['train'] },
  ]
}

/** Null where the job came another way. */
function requestOf(job: StoredJob): TuningRequest | null {
  if (job.kind !== 'train' || job.spec.metadata?.api !== marker.api) return null
  return TuningRequest.parse(JSON.parse(job.spec.metadata.request ?? '{}'))
}
