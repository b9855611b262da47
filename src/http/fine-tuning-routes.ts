/** /v1/fine_tuning/jobs: OpenAI's API over our jobs. */
import type { FastifyInstance } from 'fastify'
import {
  CreateFineTuningJob,
  FineTuningQuery,
  type FineTuningCheckpointList,
  type FineTuningEvent,
  type FineTuningEventList,
  type FineTuningJob,
  type FineTuningJobList,
} from '../../schemas/fine-tuning.ts'
import { fail } from '../errors.ts'
import type { StoredEvent, StoredJob } from '../jobs/job-store.ts'
import type { FineTuning, Tuning } from '../services/fine-tuning.ts'
import { wireCode } from './error-response.ts'
import { jobId, keyIdOf } from './job-routes.ts'
import { toSeconds } from './job-serializer.ts'
import { parseInput } from './parse-body.ts'

type WithId = { Params: { id: string } }

const prefix = 'ftjob-'

function trainingId(id: string): string {
  return id.startsWith(prefix) ? jobId(id.slice(prefix.length)) : fail('JOB_NOT_FOUND', `"${id.slice(0, 100)}"`) // prettier-ignore
}

export const fineTuningRoutes = (tunings: FineTuning) => async (app: FastifyInstance) => {
  app.post('/v1/fine_tuning/jobs', async (request): Promise<FineTuningJob> =>
    toTuningJob(
      await tunings.create(parseInput(CreateFineTuningJob, request.body), keyIdOf(request)),
    ),
  )

  app.get('/v1/fine_tuning/jobs', async (request): Promise<FineTuningJobList> => {
    const { after, limit = 20 } = parseInput(FineTuningQuery, request.query, 'the query')
    const before = after === undefined ? undefined : trainingId(after)
    const found = await tunings.list(limit + 1, before)
    const data = found.slice(0, limit).map(toTuningJob)
    return { object: 'list', data, has_more: found.length > limit }
  })

  app.get<WithId>('/v1/fine_tuning/jobs/:id', async ({ params }): Promise<FineTuningJob> =>
    toTuningJob(await tunings.get(trainingId(params.id))),
  )

  app.post<WithId>('/v1/fine_tuning/jobs/:id/cancel', async ({ params }): Promise<FineTuningJob> =>
    toTuningJob(await tunings.cancel(trainingId(params.id))),
  )

  app.get<WithId>(
    '/v1/fine_tuning/jobs/:id/events',
    async ({ params, query }): Promise<FineTuningEventList> => {
      const { after, limit = 20 } = parseInput(FineTuningQuery, query, 'the query')
      const id = trainingId(params.id)
      const found = await tunings.events(id, limit + 1, after === undefined ? undefined : seqOf(after)) // prettier-ignore
      const data = found.slice(0, limit).map((event) => toTuningEvent(id, event))
      return { object: 'list', data, has_more: found.length > limit }
    },
  )

  app.get<WithId>(
    '/v1/fine_tuning/jobs/:id/checkpoints',
    async ({ params }): Promise<FineTuningCheckpointList> => {
      const tuning = await tunings.get(trainingId(params.id))
      return { object: 'list', data: checkpointsOf(tuning), has_more: false }
    },
  )
}

/** Trained is not yet done: the model must be published before anybody can use it. */
function statusOf({ training, publication }: Tuning): FineTuningJob['status'] {
  if (training.status === 'waiting') return 'queued'
  if (training.status !== 'succeeded' || !publication) return training.status
  const { status } = publication
  return status === 'waiting' || status === 'queued' ? 'running' : status
}

const finishedAt = ({ training, publication }: Tuning): Date | null =>
  training.status === 'succeeded' && publication ? publication.finishedAt : training.finishedAt

function errorOf({ training, publication }: Tuning): FineTuningJob['error'] {
  const { error } = training.status === 'succeeded' && publication ? publication : training
  return error && { code: wireCode(error.code), message: error.message, param: null }
}

function toTuningJob(tuning: Tuning): FineTuningJob {
  const { request, training, trainedTokens } = tuning
  const { hyperparameters } = request
  const status = statusOf(tuning)
  const finished = finishedAt(tuning)
  return {
    id: `${prefix}${training.id}`,
    object: 'fine_tuning.job',
    created_at: toSeconds(training.createdAt),
    finished_at: finished && toSeconds(finished),
    estimated_finish: estimate(training),
    model: request.model,
    fine_tuned_model: status === 'succeeded' ? training.spec.name : null,
    organization_id: 'steerlm',
    status,
    hyperparameters,
    method: { type: 'supervised', supervised: { hyperparameters } },
    training_file: request.training_file,
    validation_file: null,
    result_files: [],
    trained_tokens: trainedTokens,
    error: errorOf(tuning),
    seed: request.seed,
    user_provided_suffix: request.suffix,
    metadata: request.metadata,
    integrations: [],
  }
}

/** By the pace so far; null before there is one. */
function estimate({ status, progress, startedAt }: StoredJob): number | null {
  if (status !== 'running' || !progress || progress.done === 0 || !startedAt) return null
  const elapsed = Date.now() - startedAt.getTime()
  return Math.ceil((startedAt.getTime() + (elapsed * progress.total) / progress.done) / 1000)
}

function seqOf(eventId: string): number {
  const seq = /-(\d+)$/.exec(eventId)?.[1]
  return seq === undefined ? fail('BAD_REQUEST', 'after: expected the id of an event', { param: 'after' }) : Number(seq) // prettier-ignore
}

function toTuningEvent(id: string, event: StoredEvent): FineTuningEvent {
  const { seq, type, data, createdAt } = event
  return {
    id: `ftevent-${id}-${seq}`,
    object: 'fine_tuning.job.event',
    created_at: toSeconds(createdAt),
    level: type === 'error' ? 'error' : data.reason === 'crashed' ? 'warn' : 'info',
    message: messageOf(event),
    type: type === 'metrics' ? 'metrics' : 'message',
    data: type === 'metrics' ? metricsOf(data) : data,
  }
}

function messageOf({ type, data }: StoredEvent): string {
  switch (type) {
    case 'status':
      return [`Job ${String(data.status)}`, data.reason].filter(Boolean).join(': ')
    case 'metrics':
      return 'validation_loss' in data
        ? `Step ${String(data.step)}: validation loss=${Number(data.validation_loss).toFixed(4)}`
        : `Step ${String(data.step)}: training loss=${Number(data.loss).toFixed(4)}`
    case 'progress':
      return `${String(data.done)} of ${String(data.total)} ${String(data.unit)}`
    case 'result':
      return 'The model is trained'
    case 'error':
    case 'log':
      return String(data.message)
  }
}

function metricsOf(data: Record<string, unknown>): Record<string, unknown> {
  const { loss, validation_loss, ...rest } = data
  return {
    ...rest,
    ...(loss !== undefined && { train_loss: loss }),
    ...(validation_loss !== undefined && { valid_loss: validation_loss }),
  }
}

/** The finished model: the only checkpoint that can be used under a name. */
function checkpointsOf(tuning: Tuning): FineTuningCheckpointList['data'] {
  const { training } = tuning
  if (statusOf(tuning) !== 'succeeded') return []
  const { steps, loss } = (training.result ?? {}) as { steps?: number; loss?: number }
  const step = steps ?? 0
  return [
    {
      id: `ftckpt-${training.id}`,
      object: 'fine_tuning.job.checkpoint',
      created_at: toSeconds(training.finishedAt!),
      fine_tuned_model_checkpoint: (training.spec as { name: string }).name,
      fine_tuning_job_id: `${prefix}${training.id}`,
      step_number: step,
      metrics: { step, ...(loss !== undefined && { train_loss: loss }) },
    },
  ]
}
